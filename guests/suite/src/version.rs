//! `xen_version`, the pages handed over at start, and the tables that translate frame numbers.

use guest_kit::case;
use guest_kit::case::Group;
use guest_kit::hypercall::errno::*;
use guest_kit::hypercall::*;
use guest_kit::mmu;
use guest_kit::pages::{m2p, p2m, shared_info_address, Page, M2P};
use guest_kit::start::{start_info, VIRT_BASE};
use guest_kit::trap::expect_fault;

/// The group.
pub const GROUP: Group = Group {
    name: "version",
    cases: &[
        case!(
            "version-number",
            "version gives 4.17 as major and minor in one word",
            number
        ),
        case!(
            "version-strings",
            "extraversion, compile_info, changeset and commandline fill in texts",
            strings
        ),
        case!(
            "version-capabilities",
            "capabilities names xen-3.0-x86_64",
            capabilities
        ),
        case!(
            "version-platform",
            "platform_parameters gives the start of the hypervisor's addresses",
            platform
        ),
        case!(
            "version-features",
            "get_features shows what a PV dom0 has and has not",
            features
        ),
        case!(
            "version-features-submap",
            "get_features refuses a word beyond those there are",
            features_submap
        ),
        case!("version-pagesize", "pagesize gives 4096", pagesize),
        case!("version-handle", "guest_handle writes 16 bytes", handle),
        case!(
            "version-build-id",
            "build_id without a buffer gives its length, into a short one ENOBUFS",
            build_id
        ),
        case!(
            "version-unknown",
            "an unknown sub-operation gives ENOSYS",
            unknown
        ),
        case!(
            "start-info",
            "start_info has the magic, the dom0 flags and where things are",
            start_page
        ),
        case!(
            "start-command-line",
            "the command line ends inside its field",
            command_line
        ),
        case!(
            "shared-info-clock",
            "the wall clock of shared_info is set and its version even",
            wall_clock
        ),
        case!(
            "p2m-m2p-agree",
            "m2p of p2m is the identity for all our frames",
            agree
        ),
        case!(
            "m2p-read-only",
            "a write to the machine-to-physical table faults",
            m2p_read_only
        ),
        case!(
            "initial-tables-read-only",
            "the initial page tables are mapped read-only",
            tables_read_only
        ),
    ],
};

fn number() {
    assert_eq!(xen_version(0, 0), 4 << 16 | 17);
}

fn strings() {
    let page = Page::take();
    assert_eq!(xen_version(1, page.va), 0);
    assert_eq!(page.bytes()[0], b'.');
    for (command, size) in [(2, 144), (4, 64), (9, 1024)] {
        let page = Page::take();
        page.bytes().fill(0xee);
        assert_eq!(xen_version(command, page.va), 0, "command {command}");
        assert!(page.bytes()[..size].contains(&0), "command {command}");
        assert_eq!(page.bytes()[size], 0xee, "command {command} wrote too much");
    }
}

fn capabilities() {
    let page = Page::take();
    assert_eq!(xen_version(3, page.va), 0);
    assert!(page.bytes().starts_with(b"xen-3.0-x86_64 "));
}

fn platform() {
    let mut start = 0u64;
    assert_eq!(xen_version(5, at_mut(&mut start)), 0);
    assert_eq!(start, 0xffff_8000_0000_0000);
}

fn features_of(word: u32) -> (i64, u32) {
    let mut argument = [word, 0];
    (xen_version(6, at_mut(&mut argument)), argument[1])
}

fn features() {
    let (result, map) = features_of(0);
    assert_eq!(result, 0);
    let has = |bit: u32| map >> bit & 1 == 1;
    // mmu_pt_update_preserve_ad, gnttab_map_avail_bits, dom0, memory_op_vnode_supported
    for bit in [5, 7, 11, 13] {
        assert!(has(bit), "feature {bit} in {map:#x}");
    }
    // writable page and descriptor tables, auto-translated, supervisor mode, the HVM ones
    for bit in [0, 1, 2, 3, 8, 9, 10] {
        assert!(!has(bit), "feature {bit} in {map:#x}");
    }
    // The note asked for pae_pgdir_above_4gb.
    assert!(has(4), "{map:#x}");
}

fn features_submap() {
    assert_eq!(features_of(1).0, EINVAL);
    assert_eq!(features_of(u32::MAX).0, EINVAL);
}

fn pagesize() {
    assert_eq!(xen_version(7, 0), 4096);
}

fn handle() {
    let page = Page::take();
    page.bytes().fill(0xee);
    assert_eq!(xen_version(8, page.va), 0);
    assert_eq!(page.bytes()[16], 0xee);
    assert_eq!(&page.bytes()[..16], &[0; 16]);
}

fn build_id() {
    let length = xen_version(10, 0);
    assert!(length > 0, "{length}");
    let page = Page::take();
    assert_eq!(xen_version(10, page.va), EINVAL, "a length of 0");
    page.words()[0] = 1;
    assert_eq!(xen_version(10, page.va), ENOBUFS);
    page.words()[0] = 64;
    assert_eq!(xen_version(10, page.va), length);
}

fn unknown() {
    for command in [11, 12, 1000, u32::MAX as u64] {
        assert_eq!(xen_version(command, 0), ENOSYS);
    }
}

fn start_page() {
    let info = start_info();
    assert!(info.magic.starts_with(b"xen-3.0-x86_64"));
    assert_eq!(info.flags & 3, 3, "SIF_PRIVILEGED and SIF_INITDOMAIN");
    assert_eq!(info.shared_info & 0xfff, 0);
    assert!(info.pt_base > VIRT_BASE && info.pt_base & 0xfff == 0);
    assert!(info.nr_pt_frames >= 4);
    assert!(info.nr_pages >= 0x8000);
    let pt_pfn = (info.pt_base - VIRT_BASE) / 4096;
    assert_eq!(p2m(pt_pfn), mmu::current_l4(), "pt_base is the L4 in use");
}

fn command_line() {
    assert!(start_info().cmd_line.contains(&0));
}

fn wall_clock() {
    let words = (shared_info_address() + 3072) as *const u32;
    let (version, seconds) = unsafe { (words.read_volatile(), words.add(1).read_volatile()) };
    assert_eq!(version & 1, 0);
    // The machine's clock says some time after 2020.
    assert!(seconds > 1_577_836_800, "{seconds}");
}

fn agree() {
    for pfn in 0..start_info().nr_pages {
        let mfn = p2m(pfn);
        if mfn != u64::MAX {
            assert_eq!(m2p(mfn), pfn, "pfn {pfn:#x} mfn {mfn:#x}");
        }
    }
}

fn m2p_read_only() {
    let slot = (M2P + 8 * Page::take().mfn()) as *mut u64;
    let frame = expect_fault(|| unsafe { slot.write_volatile(0) });
    assert_eq!((frame.vector, frame.error & 2), (14, 2));
}

fn tables_read_only() {
    let l4 = start_info().pt_base as *mut u64;
    let frame = expect_fault(|| unsafe { l4.write_volatile(*l4) });
    assert_eq!((frame.vector, frame.error), (14, 3));
}
