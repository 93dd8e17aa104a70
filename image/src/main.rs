//! The bootable file: names the hypervisor's main function to the boot code in `hw`, and nothing else.
#![no_std]
#![no_main]

hw::entry!(hypervisor::main);
