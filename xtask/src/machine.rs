//! A machine to boot: what QEMU is told (Bochs: `bochs.rs`). The same description serves Xenolith, Debian's Xen and
//! the bare kernel, so that they can be compared.

use crate::debian;
use crate::dom0::Dom0;
use crate::host_disk::HostDisk;
use crate::kernel;
use crate::places::Places;
use anyhow::{Context, Result};
use std::ffi::OsString;
use std::io::Read;
use std::path::{Path, PathBuf};

/// The CPU of the machine. Without SMAP: QEMU 7.2 reads the frame of an `iret` to ring 3 with the
/// rights of ring 0, which faults under SMAP on the way into every para-virtualized guest.
pub const CPU: &str = "max,-smap";

/// Dom0 has a gibibyte, and guests the rest.
const DOM0_MEMORY: &str = "dom0_mem=1024M,max:1024M";

/// What runs on the machine first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hypervisor {
    /// An image of ours.
    Xenolith(PathBuf),
    /// Debian's Xen, the reference.
    Xen(PathBuf),
    /// None: the kernel itself.
    Bare,
}

impl Hypervisor {
    /// Debian's Xen 4.17, unpacked from its package.
    pub fn debian_xen(places: &Places) -> Result<Self> {
        let image = places.cache.join("xen.elf");
        if !image.is_file() {
            let tree = debian::unpacked(places, "xen-hypervisor-4.17-amd64")?;
            let packed = kernel::file_beginning(&tree.join("boot"), "xen-4.17-amd64.gz")?;
            let mut bytes = Vec::new();
            flate2::read::GzDecoder::new(std::fs::File::open(&packed)?)
                .read_to_end(&mut bytes)
                .with_context(|| format!("cannot unpack {}", packed.display()))?;
            std::fs::write(&image, bytes)?;
        }
        Ok(Self::Xen(image))
    }

    /// The name in reports.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Xenolith(_) => "Xenolith",
            Self::Xen(_) => "Xen",
            Self::Bare => "bare",
        }
    }

    /// The file that boots.
    pub fn image(&self) -> Option<&Path> {
        match self {
            Self::Xenolith(image) | Self::Xen(image) => Some(image),
            Self::Bare => None,
        }
    }

    /// The words every boot has: serial console, everything logged; and for Xen on this emulator
    /// eager switching of the FPU, without which it mixes up the vector registers of domains.
    pub fn words(&self) -> &'static str {
        match self {
            Self::Xenolith(_) => {
                "com1=115200,8n1 console=com1 loglvl=all guest_loglvl=all noreboot"
            }
            Self::Xen(_) => {
                "com1=115200,8n1 console=com1 loglvl=all guest_loglvl=all noreboot \
                 spec-ctrl=eager-fpu"
            }
            Self::Bare => "",
        }
    }
}

/// How the machine's clock and processors run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// As fast as it goes, a host thread a processor.
    Free,
    /// One instruction a nanosecond of the machine's own time: clocks inside count instructions exactly,
    /// whatever else the host does. Several processors take turns, the first one first: others run while it
    /// has nothing to do.
    Counted,
}

/// What runs the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    /// QEMU, at the machine's pace.
    Qemu,
    /// Bochs: counted, and processors work at once, each a few instructions in turn. It takes minutes to boot dom0, and
    /// gives the machine no other devices than a serial port and disks.
    Bochs,
}

/// Where the machine boots from.
#[derive(Clone, Debug)]
pub enum Boot {
    /// QEMU loads the hypervisor and these modules (a file, its words) itself.
    Direct(Vec<(PathBuf, String)>),
    /// A disk image with a boot loader of its own, under BIOS or UEFI.
    Iso { image: PathBuf, uefi: bool },
}

/// One machine.
#[derive(Clone, Debug)]
pub struct Machine {
    /// What boots first.
    pub hypervisor: Hypervisor,
    /// Words for it beyond [`Hypervisor::words`].
    pub words: String,
    /// What it boots with.
    pub boot: Boot,
    /// Number of processors.
    pub processors: u32,
    /// How many of them are threads of one core.
    pub threads: u32,
    /// Memory in MiB.
    pub memory: u32,
    /// QEMU's name of the processor, with features.
    pub cpu: String,
    /// What runs it.
    pub program: Program,
    /// How it runs.
    pub pace: Pace,
    /// Images of disks; what is written there is forgotten.
    pub disks: Vec<PathBuf>,
    /// More words for QEMU: devices.
    pub devices: Vec<String>,
}

impl Machine {
    /// A machine that boots dom0 into a scenario.
    pub fn with_dom0(hypervisor: &Hypervisor, dom0: &Dom0, scenario: &str) -> Self {
        let console = match hypervisor {
            Hypervisor::Bare => "ttyS0",
            _ => "hvc0",
        };
        let kernel_words = format!("console={console} panic=-1 quiet scenario={scenario}");
        let modules = vec![
            (dom0.kernel.clone(), kernel_words),
            (dom0.initramfs.clone(), String::new()),
        ];
        Self::with_modules(hypervisor, modules).memory(2048)
    }

    /// A machine whose dom0 has Debian's toolstack and does `what`, with a gibibyte for itself and
    /// the rest for guests. What it writes to its disk is forgotten.
    pub fn with_toolstack(hypervisor: &Hypervisor, dom0: &Dom0, what: &str) -> Self {
        Self::with_dom0(hypervisor, dom0, "toolstack")
            .kernel_words(&format!("do={what}"))
            .words(DOM0_MEMORY)
            .processors(2)
            .memory(3072)
            .toolstack_disk(dom0)
    }

    /// The same for measuring what schedulers promise: the clock counts instructions, and there is a second
    /// processor, which a small dom0 leaves to guests.
    pub fn for_guarantees(hypervisor: &Hypervisor, dom0: &Dom0, what: &str) -> Self {
        let mut machine = Self::with_toolstack(hypervisor, dom0, what)
            .words("dom0_max_vcpus=1")
            .memory(2048);
        machine.pace = Pace::Counted;
        machine
    }

    /// The same with two processors for guests, which work at once.
    pub fn for_parallel_work(hypervisor: &Hypervisor, dom0: &Dom0, what: &str) -> Self {
        // Beside GRUB's disk.
        let mut machine = Self::for_guarantees(hypervisor, dom0, what)
            .kernel_words("modules=ide disk=sdb")
            .processors(3);
        if matches!(hypervisor, Hypervisor::Xen(_)) {
            // It finds a fault with the emulated one.
            machine = machine.words("x2apic=0");
        }
        machine.program = Program::Bochs;
        machine
    }

    /// Gives it a disk with the toolstack, or another: a driver domain has one of its own.
    pub fn toolstack_disk(self, dom0: &Dom0) -> Self {
        match &dom0.toolstack {
            None => self,
            Some(disk) => self.disk(disk),
        }
    }

    /// Gives it one more disk; what is written there is forgotten.
    pub fn disk(mut self, image: &Path) -> Self {
        self.disks.push(image.to_owned());
        self
    }

    /// A machine whose dom0 is the Debian on a disk, with our scripts on another; `forget` throws away what it writes
    /// there.
    pub fn with_host_disk(
        hypervisor: &Hypervisor,
        disk: &HostDisk,
        scripts: &Path,
        forget: bool,
    ) -> Self {
        let words = "root=/dev/vda rw console=hvc0 net.ifnames=0 panic=-1 quiet".to_owned();
        let forget = if forget { ",snapshot=on" } else { "" };
        let drive = format!(
            "file={},format=raw,if=virtio,cache=unsafe{forget}",
            disk.image.display()
        );
        let scripts = format!(
            "file={},format=raw,if=virtio,readonly=on",
            scripts.display()
        );
        let modules = vec![
            (disk.kernel.clone(), words),
            (disk.initrd.clone(), String::new()),
        ];
        Self::with_modules(hypervisor, modules)
            .words("dom0_mem=1024M,max:1024M")
            .processors(2)
            .memory(3072)
            .devices(["-drive", &drive, "-drive", &scripts])
    }

    /// A machine that boots a hypervisor with these modules and nothing else.
    pub fn with_modules(hypervisor: &Hypervisor, modules: Vec<(PathBuf, String)>) -> Self {
        Self {
            hypervisor: hypervisor.clone(),
            words: String::new(),
            boot: Boot::Direct(modules),
            processors: 1,
            threads: 1,
            memory: 1024,
            cpu: CPU.to_owned(),
            program: Program::Qemu,
            pace: Pace::Free,
            disks: Vec::new(),
            devices: Vec::new(),
        }
    }

    /// Adds words to the first module's, which is the kernel.
    pub fn kernel_words(mut self, more: &str) -> Self {
        if let Boot::Direct(modules) = &mut self.boot {
            if let Some((_, words)) = modules.first_mut() {
                words.push(' ');
                words.push_str(more);
            }
        }
        self
    }

    /// Adds words to the hypervisor's command line.
    pub fn words(mut self, more: &str) -> Self {
        self.words.push(' ');
        self.words.push_str(more);
        self
    }

    /// Sets the number of processors.
    pub fn processors(mut self, number: u32) -> Self {
        self.processors = number;
        self
    }

    /// Makes so many processors, which must divide them all, threads of one core; and all cores one package.
    pub fn threads(mut self, number: u32) -> Self {
        self.threads = number;
        self
    }

    /// Sets the memory in MiB.
    pub fn memory(mut self, mebibytes: u32) -> Self {
        self.memory = mebibytes;
        self
    }

    /// Takes the bound off dom0's memory that [`Self::with_toolstack`] set: dom0 has all.
    pub fn dom0_has_all(mut self) -> Self {
        self.words = self.words.replace(DOM0_MEMORY, "");
        self
    }

    /// Spreads memory and processors, which both can be divided, evenly over NUMA nodes. Each is 21 away from the others.
    pub fn nodes(mut self, count: u32) -> Self {
        let (memory, processors) = (self.memory / count, self.processors / count);
        for node in 0..count {
            let first = node * processors;
            let last = first + processors - 1;
            self = self.devices([
                "-object",
                &format!("memory-backend-ram,id=node{node},size={memory}M"),
                "-numa",
                &format!("node,nodeid={node},memdev=node{node},cpus={first}-{last}"),
            ]);
        }
        for (from, to) in (0..count).flat_map(|from| (from + 1..count).map(move |to| (from, to))) {
            let distance = format!("dist,src={from},dst={to},val=21");
            self = self.devices(["-numa", &distance]);
        }
        self
    }

    /// Adds words for QEMU.
    pub fn devices(mut self, words: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.devices.extend(words.into_iter().map(Into::into));
        self
    }

    /// The whole command line of the hypervisor.
    pub fn command_line(&self) -> String {
        format!("{}{}", self.hypervisor.words(), self.words)
    }

    /// The processors, as QEMU is told of them.
    fn shape(&self) -> String {
        let (all, threads) = (self.processors, self.threads);
        if threads == 1 {
            return all.to_string();
        }
        let cores = all / threads;
        format!("{all},sockets=1,cores={cores},threads={threads}")
    }

    /// QEMU's arguments, without those that say where the console goes.
    pub fn arguments(&self) -> Vec<OsString> {
        let mut list: Vec<OsString> = Vec::new();
        let mut add = |words: &[&str]| list.extend(words.iter().map(OsString::from));
        add(&["-nodefaults", "-cpu", &self.cpu]);
        add(&["-m", &self.memory.to_string()]);
        match self.pace {
            Pace::Free => add(&["-accel", "tcg,thread=multi"]),
            Pace::Counted => add(&["-accel", "tcg", "-icount", "shift=0,sleep=off"]),
        }
        add(&["-smp", &self.shape()]);
        for disk in &self.disks {
            let file = disk.display();
            let drive = format!("file={file},format=raw,if=virtio,snapshot=on,cache=unsafe");
            add(&["-drive", &drive]);
        }
        for word in &self.devices {
            add(&[word]);
        }
        match &self.boot {
            Boot::Direct(modules) => list.extend(self.direct(modules)),
            Boot::Iso { image, uefi } => {
                if *uefi {
                    add(&["-bios", "/usr/share/ovmf/OVMF.fd"]);
                }
                list.extend(["-cdrom".into(), image.into()]);
            }
        }
        list
    }

    fn direct(&self, modules: &[(PathBuf, String)]) -> Vec<OsString> {
        let mut list: Vec<OsString> = vec!["-kernel".into()];
        let Some(image) = self.hypervisor.image() else {
            let mut paths = modules.iter();
            if let Some((kernel, words)) = paths.next() {
                list.extend([kernel.into(), "-append".into(), words.into()]);
            }
            if let Some((initramfs, _)) = paths.next() {
                list.extend(["-initrd".into(), initramfs.into()]);
            }
            return list;
        };
        list.extend([image.into(), "-append".into(), self.command_line().into()]);
        if !modules.is_empty() {
            list.extend(["-initrd".into(), initrd_argument(modules)]);
        }
        list
    }
}

/// QEMU's list of multiboot modules: `FILE WORDS,FILE WORDS`, a comma in either doubled.
fn initrd_argument(modules: &[(PathBuf, String)]) -> OsString {
    let mut argument = OsString::new();
    for (number, (path, words)) in modules.iter().enumerate() {
        if number > 0 {
            argument.push(",");
        }
        argument.push(path.to_string_lossy().replace(',', ",,"));
        if !words.is_empty() {
            argument.push(" ");
            argument.push(words.replace(',', ",,"));
        }
    }
    argument
}

#[cfg(test)]
mod tests;
