//! Physical interrupts: their numbers, binding them to event channels, ending them, and one that really arrives.

use core::arch::asm;
use guest_kit::case;
use guest_kit::case::Group;
use guest_kit::events;
use guest_kit::hypercall::errno::*;
use guest_kit::hypercall::*;
use guest_kit::pages::Page;
use guest_kit::time::{wait_until, SECOND};

/// The group.
pub const GROUP: Group = Group {
    name: "interrupts",
    cases: &[
        case!(
            "pirq-map-gsi",
            "a GSI has one number, and asking for another gives EEXIST",
            map_gsi
        ),
        case!(
            "pirq-map-bad",
            "GSIs and kinds that do not exist give EINVAL, the timer's EPERM",
            map_bad
        ),
        case!(
            "pirq-map-domain",
            "a domain that does not exist gives ESRCH",
            map_domain
        ),
        case!(
            "pirq-map-msi-absent",
            "a message of a PCI device that does not exist gives ENODEV",
            map_absent
        ),
        case!(
            "pirq-map-multi-msi",
            "several messages need interrupt remapping",
            map_several
        ),
        case!(
            "pirq-unmap",
            "an interrupt can be unmapped once",
            unmap_twice
        ),
        case!(
            "pirq-free",
            "free numbers are given out, those of messages above all pins",
            free
        ),
        case!(
            "pirq-setup-gsi",
            "a pin is set up once; one that does not exist gives EINVAL",
            set_up
        ),
        case!(
            "pirq-bind-bad",
            "an interrupt that is not mapped cannot be bound",
            bind_bad
        ),
        case!(
            "pirq-bind-twice",
            "an interrupt can be bound to one port",
            bind_twice
        ),
        case!(
            "pirq-end-bad",
            "ending what is not mapped gives EINVAL",
            end_bad
        ),
        case!(
            "pirq-io-apic",
            "the I/O APIC can be read, another address gives EINVAL",
            io_apic
        ),
        case!(
            "pirq-end-page",
            "the page of interrupts to end shows level-triggered ones that are bound",
            end_page
        ),
        case!(
            "pirq-arrives",
            "the clock's periodic interrupt arrives until its port is closed",
            arrives
        ),
        case!(
            "pirq-mmcfg",
            "a PCI window that the firmware does not name gives ENODEV",
            mmcfg
        ),
        case!(
            "pirq-pci-ports",
            "configuration space is read through its two ports",
            pci_ports
        ),
        case!(
            "pirq-msix-absent",
            "preparing MSI-X of an absent device gives ENODEV",
            msix_absent
        ),
        case!(
            "firmware-info-bad",
            "firmware information of no kind gives EINVAL",
            firmware_bad
        ),
        case!("mca-fetch", "there is no machine check to fetch", mca_fetch),
        case!(
            "mca-processors",
            "the processors are counted and described",
            mca_processors
        ),
        case!("mca-version", "another version gives EACCES", mca_version),
    ],
};

/// `DOMID_SELF`.
const OWN: u16 = 0x7ff0;
/// Kinds of interrupt.
const MSI: i32 = 0;
const GSI: i32 = 1;
const SEVERAL: i32 = 4;
/// The clock's line, and some that nobody here uses: one a case, since Xen gives a pin that was unmapped to nobody
/// any more (EPERM).
const CLOCK: i32 = 8;
const SPARE: i32 = 7;
const SPARES: [i32; 4] = [3, 5, 6, 13];

/// `struct physdev_map_pirq`.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Map {
    domain: u16,
    pad: u16,
    kind: i32,
    index: i32,
    pirq: i32,
    bus: i32,
    devfn: i32,
    entry: i32,
    pad2: u32,
    table: u64,
}

fn map(kind: i32, index: i32, pirq: i32) -> Result<i32, i64> {
    let mut request = Map {
        domain: OWN,
        kind,
        index,
        pirq,
        ..Map::default()
    };
    match physdev_op(13, at_mut(&mut request)) {
        0 => Ok(request.pirq),
        error => Err(error),
    }
}

fn unmap(pirq: i32) -> i64 {
    physdev_op(14, at(&[OWN as i32, pirq]))
}

fn bind(pirq: i32) -> Result<u32, i64> {
    let mut request = [pirq as u32, 0, 0];
    match event_channel_op(2, at_mut(&mut request)) {
        0 => Ok(request[2]),
        error => Err(error),
    }
}

fn end(pirq: u32) -> i64 {
    physdev_op(12, at(&pirq))
}

fn map_gsi() {
    let [gsi, other, ..] = SPARES;
    assert_eq!(map(GSI, gsi, gsi), Ok(gsi));
    assert_eq!(map(GSI, gsi, gsi), Ok(gsi));
    assert_eq!(map(GSI, gsi, other), Err(EEXIST));
    assert_eq!(unmap(gsi), 0);
}

fn map_bad() {
    for gsi in [24, 5000, -1] {
        assert_eq!(map(GSI, gsi, -1), Err(EINVAL), "{gsi}");
    }
    assert_eq!(map(GSI, 0, 0), Err(EPERM));
    for kind in [2, 5, 100, -1] {
        assert_eq!(map(kind, SPARE, SPARE), Err(EINVAL), "{kind}");
    }
    assert_eq!(map(GSI, SPARE, 5000), Err(EINVAL));
}

fn map_domain() {
    let request = Map {
        domain: 77,
        kind: GSI,
        index: SPARE,
        pirq: SPARE,
        ..Map::default()
    };
    assert_eq!(physdev_op(13, at(&request)), ESRCH);
    assert_eq!(physdev_op(14, at(&[77, SPARE])), ESRCH);
}

/// Maps messages of a device.
fn message(kind: i32, bus: i32, devfn: i32, entry: i32) -> i64 {
    let request = Map {
        domain: OWN,
        kind,
        index: -1,
        pirq: -1,
        bus,
        devfn,
        entry,
        ..Map::default()
    };
    physdev_op(13, at(&request))
}

fn map_absent() {
    for kind in [MSI, 3] {
        assert_eq!(message(kind, 0x55, 0x10, 0), ENODEV, "{kind}");
    }
}

fn map_several() {
    assert_eq!(message(SEVERAL, 0x55, 0x10, 4), EOPNOTSUPP);
    assert_eq!(message(SEVERAL, 0x55, 0x10, 0), EDOM);
    assert_eq!(message(SEVERAL, 0x55, 0x10, 33), EDOM);
}

fn unmap_twice() {
    let [_, gsi, ..] = SPARES;
    assert_eq!(unmap(gsi), EINVAL);
    assert_eq!(map(GSI, gsi, gsi), Ok(gsi));
    assert_eq!(unmap(gsi), 0);
    assert_eq!(unmap(gsi), EINVAL);
    for pirq in [5000, -1] {
        assert_eq!(unmap(pirq), EINVAL, "{pirq}");
    }
}

fn free() {
    let mut taken = [0; 2];
    for (kind, place) in [GSI, MSI].into_iter().zip(&mut taken) {
        let mut request = [kind, 0];
        assert_eq!(physdev_op(23, at_mut(&mut request)), 0);
        *place = request[1];
    }
    assert!(taken[0] >= 16 && taken[1] >= 24, "{taken:?}");
}

fn set_up() {
    // gsi, then triggering and polarity in a byte each: by edge, active high.
    let argument = [SPARE, 0];
    let first = physdev_op(21, at(&argument));
    assert!(first == 0 || first == EEXIST, "{first}");
    assert_eq!(physdev_op(21, at(&argument)), EEXIST);
    for gsi in [24, 5000, -1] {
        assert_eq!(physdev_op(21, at(&[gsi, 0])), EINVAL, "{gsi}");
    }
}

fn bind_bad() {
    assert_eq!(bind(SPARE), Err(EPERM));
    for pirq in [5000, -1] {
        assert_eq!(bind(pirq), Err(EINVAL), "{pirq}");
    }
}

fn bind_twice() {
    let [_, _, gsi, _] = SPARES;
    assert_eq!(map(GSI, gsi, gsi), Ok(gsi));
    let port = bind(gsi).unwrap();
    assert_eq!(bind(gsi), Err(EEXIST));
    assert_eq!(end(gsi as u32), 0);
    assert_eq!(events::close(port), 0);
    let port = bind(gsi).unwrap();
    assert_eq!(events::close(port), 0);
    assert_eq!(unmap(gsi), 0);
}

fn end_bad() {
    for pirq in [SPARE as u32, 5000, u32::MAX] {
        assert_eq!(end(pirq), EINVAL, "{pirq}");
    }
}

fn end_page() {
    const POWER: i32 = 9;
    let [.., edge] = SPARES;
    let page = Page::take();
    let result = physdev_op(28, at(&[page.mfn()]));
    if result == EBUSY {
        // Another case has given its page already.
        return;
    }
    assert_eq!(result, 0);
    let shown = |pirq: i32| page.words()[0] >> pirq & 1 == 1;
    for pirq in [POWER, edge] {
        assert_eq!(map(GSI, pirq, pirq), Ok(pirq));
        assert!(!shown(pirq));
    }
    let ports = [POWER, edge].map(|pirq| bind(pirq).unwrap());
    assert!(shown(POWER) && !shown(edge));
    for port in ports {
        assert_eq!(events::close(port), 0);
    }
}

fn io_apic() {
    let mut version = [0xfec0_0000u32, 0, 1, 0];
    assert_eq!(physdev_op(8, at_mut(&mut version)), 0);
    assert_eq!(version[3] & 0xff00ff, 0x170020 & 0xff00ff);
    assert_eq!(physdev_op(8, at(&[0xfed0_0000u32, 0, 1, 0])), EINVAL);
    assert_eq!(physdev_op(9, at(&[0xfed0_0000u32, 0, 1, 0])), EINVAL);
}

fn outb(port: u16, value: u8) {
    unsafe { asm!("out dx, al", in("dx") port, in("al") value) }
}

fn inb(port: u16) -> u8 {
    let value;
    unsafe { asm!("in al, dx", in("dx") port, out("al") value) }
    value
}

fn clock_read(register: u8) -> u8 {
    outb(0x70, register);
    inb(0x71)
}

fn clock_write(register: u8, value: u8) {
    outb(0x70, register);
    outb(0x71, value);
}

fn set_iopl(level: u32) {
    assert_eq!(physdev_op(6, at(&level)), 0);
}

/// Waits up to a second for the port's event.
fn came(port: u32) -> bool {
    wait_until(SECOND, || events::clear_pending(port))
}

fn arrives() {
    const RATE: u8 = 0x0a;
    const CONTROL: u8 = 0x0b;
    const CAUSE: u8 = 0x0c;
    const PERIODIC: u8 = 1 << 6;
    set_iopl(1);
    assert_eq!(map(GSI, CLOCK, CLOCK), Ok(CLOCK));
    let port = bind(CLOCK).unwrap();
    let (rate, control) = (clock_read(RATE), clock_read(CONTROL));
    // 64 times a second.
    clock_write(RATE, rate & 0xf0 | 0x0a);
    clock_write(CONTROL, control | PERIODIC);
    for _ in 0..3 {
        clock_read(CAUSE);
        assert!(came(port));
    }
    clock_write(CONTROL, control & !PERIODIC);
    clock_write(RATE, rate);
    clock_read(CAUSE);
    assert_eq!(events::close(port), 0);
    assert_eq!(unmap(CLOCK), 0);
    events::quiet();
    set_iopl(0);
}

fn mmcfg() {
    // address, segment, first and last bus, flags
    let argument = [0x1234_5000u64, 0x0200_0000 | 1 << 32];
    assert_eq!(physdev_op(24, at(&argument)), ENODEV);
}

fn outl(port: u16, value: u32) {
    unsafe { asm!("out dx, eax", in("dx") port, in("eax") value) }
}

fn inl(port: u16) -> u32 {
    let value;
    unsafe { asm!("in eax, dx", in("dx") port, out("eax") value) }
    value
}

fn pci_ports() {
    set_iopl(1);
    outl(0xcf8, 0x8000_0000);
    assert_eq!(inl(0xcf8), 0x8000_0000);
    let identity = inl(0xcfc);
    assert_eq!(identity & 0xffff, 0x8086, "{identity:#x}");
    assert_eq!(inb(0xcfd), 0x80);
    outl(0xcf8, 0);
    assert_eq!(inl(0xcfc), u32::MAX);
    set_iopl(0);
}

fn msix_absent() {
    for operation in [30, 31] {
        // segment, bus, device and function
        assert_eq!(physdev_op(operation, at(&0x1055_0000u32)), ENODEV);
    }
}

fn platform(command: u32, first: u64) -> i64 {
    let page = Page::take();
    page.words()[0] = command as u64 | 0x0300_0001 << 32;
    page.words()[1] = first;
    call2(nr::PLATFORM_OP, page.va, 0)
}

fn firmware_bad() {
    for kind in [0, 100] {
        assert_eq!(platform(50, kind), EINVAL, "{kind}");
    }
    // Disks beyond any that a BIOS numbers.
    assert_eq!(platform(50, 1 | 200 << 32), ESRCH);
    assert_eq!(platform(50, 2 | 200 << 32), ESRCH);
    assert_eq!(platform(50, 5 | 1 << 32), ESRCH);
}

/// `struct xen_mc` with an operation and the words after it.
fn machine_check(operation: u64, version: u64, words: [u64; 3]) -> (i64, Page) {
    let page = Page::take();
    page.words()[0] = operation | version << 32;
    page.words()[1..4].copy_from_slice(&words);
    (call2(nr::MCA, page.va, 0), page)
}

const MCA_VERSION: u64 = 0x01ec_c003;

fn mca_fetch() {
    let data = Page::take();
    let (result, page) = machine_check(1, MCA_VERSION, [2, 0, data.va]);
    assert_eq!(result, 0);
    // XEN_MC_NODATA.
    assert_eq!(page.words()[1] as u32, 2);
    assert_eq!(machine_check(1, MCA_VERSION, [0, 0, data.va]).0, EINVAL);
    assert_eq!(machine_check(1, MCA_VERSION, [3, 0, data.va]).0, EINVAL);
    assert_eq!(machine_check(1, MCA_VERSION, [2, 0, 0]).0, EINVAL);
}

fn mca_processors() {
    let (result, page) = machine_check(3, MCA_VERSION, [0, 0, 0]);
    assert_eq!(result, 0);
    let count = page.words()[1] as u32;
    assert!(count >= 1);
    let data = Page::take();
    // Room for fewer than there are makes Xen write behind it and crash.
    let (result, page) = machine_check(3, MCA_VERSION, [count as u64, data.va, 0]);
    assert_eq!((result, page.words()[1] as u32), (0, count));
    // mc_cpunr is 0, mc_ncores, mc_ncores_active and mc_nthreads are not.
    let word = |index: usize| (data.words()[index / 2] >> (index % 2 * 32)) as u32;
    assert_eq!(word(0), 0);
    assert!(word(5) >= 1 && word(6) >= 1 && word(7) >= 1);
}

fn mca_version() {
    assert_eq!(machine_check(3, 1, [0; 3]).0, EACCES);
}
