//! How many pages the hypervisor has free, exactly, in hexadecimal: `xl info` rounds to MiB.
//!
//! Asks by the sysctl `physinfo` through the kernel's privcmd device (public/sysctl.h, interface
//! version 0x15).
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

/// What the privcmd device takes: the hypercall's number and arguments.
struct hypercall {
    uint64_t number;
    uint64_t arguments[5];
};

/// The sysctl, with the part of its union that physinfo fills.
struct sysctl {
    uint32_t command;
    uint32_t interface_version;
    uint32_t processors[10];
    uint64_t total_pages;
    uint64_t free_pages;
    uint64_t rest[16];
};

int main(void) {
    static struct sysctl request __attribute__((aligned(4096))) = {
        .command = 3,
        .interface_version = 0x15,
    };
    struct hypercall call = {35, {(uintptr_t)&request}};
    int device = open("/dev/xen/privcmd", O_RDWR);
    if (device < 0 || mlock(&request, sizeof request) != 0 ||
        ioctl(device, _IOC(_IOC_NONE, 'P', 0, sizeof call), &call) < 0) {
        perror("free-pages");
        return 1;
    }
    printf("%llx\n", (unsigned long long)request.free_pages);
    return 0;
}
