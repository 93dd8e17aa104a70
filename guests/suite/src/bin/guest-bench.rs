//! Micro-benchmarks of the bare interface: `BENCH name value`, in ticks of the time-stamp counter
//! for one operation, the least of several rounds.
//!
//! With QEMU's `-icount shift=0` a tick is one instruction, exactly; otherwise values are wall-clock
//! and only ratios of interleaved runs say something. The cost of the loop itself is subtracted.
//! `only=a,b` on the command line runs just those.
//!
//! It runs as dom0 and as a guest. As two guests, `role=server` and `role=client`, each with the
//! other's number at `data/peer` in XenStore, the client measures what goes on between the two.
#![no_std]
#![no_main]

#[path = "../other.rs"]
#[allow(dead_code)]
mod other;
#[path = "guest-bench/pair.rs"]
mod pair;

use core::arch::{asm, global_asm};
use core::sync::atomic::{AtomicU64, Ordering};
use guest_kit::command_line;
use guest_kit::events;
use guest_kit::grants;
use guest_kit::hypercall::*;
use guest_kit::mmu::{self, ext, mmuext_one, set_entry, update_va_mapping};
use guest_kit::pages::Page;
use guest_kit::time::tsc;
use guest_kit::trap::{install, install_callbacks, register_callback, set_trap_table, TrapInfo};
use guest_kit::user::{run, start_frame, UserSpace};
use guest_kit::user_code;
use other::Other;

guest_kit::guest_main!(main);

/// Operations of a round.
const OPERATIONS: u64 = 1000;
/// Rounds; the least counts, so that an interrupt in one does not.
const ROUNDS: u64 = 7;

// The shortest ways back from a bounce. Each turns the bounce frame into the frame of the iret
// hypercall: rax, r11, rcx, flags, rip, cs, rflags, rsp, ss.
global_asm!(
    ".pushsection .text, \"ax\"",
    ".macro bench_iret flags",
    "push \\flags",
    "push rcx",
    "push r11",
    "push rax",
    "mov eax, 23",
    "syscall",
    ".endm",
    // INT3, which needs nothing but the way back.
    "bench_breakpoint:",
    "pop rcx",
    "pop r11",
    "bench_iret 0",
    // A page fault at a `mov rax, [rax]` of three bytes: the error code goes, the read is skipped.
    "bench_page_fault:",
    "pop rcx",
    "pop r11",
    "add rsp, 8",
    "add qword ptr [rsp], 3",
    "bench_iret 0",
    // `syscall` of user mode: back at once, as from a system call that does nothing, until RBX has
    // counted down; then as the kit takes it.
    "bench_syscall:",
    "dec rbx",
    "jz kit_syscall_entry",
    "pop rcx",
    "pop r11",
    "bench_iret 0x100",
    // The event upcall: only the pending flag and the selector are cleared.
    "bench_upcall:",
    "pop rcx",
    "pop r11",
    "push rax",
    "mov rax, [rip + {info}]",
    "mov byte ptr [rax], 0",
    "mov qword ptr [rax + 8], 0",
    "pop rax",
    "bench_iret 0",
    ".popsection",
    info = sym UPCALL_INFO,
);

static UPCALL_INFO: AtomicU64 = AtomicU64::new(0);

extern "C" {
    fn bench_breakpoint();
    fn bench_page_fault();
    fn bench_syscall();
    fn bench_upcall();
}

/// The least ticks for one call of `operation`, the loop's own cost taken off.
fn least(mut operation: impl FnMut()) -> u64 {
    round(&mut operation).saturating_sub(round(&mut || {}))
}

fn round(operation: &mut dyn FnMut()) -> u64 {
    let one = |operation: &mut dyn FnMut()| {
        let start = tsc();
        for _ in 0..OPERATIONS {
            operation();
        }
        (tsc() - start) / OPERATIONS
    };
    (0..ROUNDS).map(|_| one(operation)).min().unwrap_or(0)
}

fn bench(name: &str, operation: impl FnMut()) {
    if wanted(name) {
        guest_kit::say!("BENCH {name} {}", least(operation));
    }
}

fn wanted(name: &str) -> bool {
    command_line::value("only").is_none() || command_line::lists("only", name)
}

fn main() {
    match command_line::value("role") {
        Some("server") => return pair::serve(),
        Some("client") => pair::measure(),
        _ => measure_alone(),
    }
    guest_kit::say!("BENCH-END");
}

fn measure_alone() {
    calls();
    page_tables();
    frames();
    traps();
    user_mode();
    channels();
    granting();
    granting_of_other();
    instructions();
}

fn calls() {
    bench("null-hypercall", || drop_result(xen_version(0, 0)));
    bench("unknown-hypercall", || drop_result(call2(63, 0, 0)));
    bench("sched-yield", || drop_result(sched_op(0, 0)));
    bench("set-timer", || {
        drop_result(call2(nr::SET_TIMER_OP, 1 << 60, 0))
    });
    bench("stack-switch", || {
        drop_result(stack_switch(0xe02b, 0xffff_ffff_8010_0000))
    });
    bench("set-segment-base", || drop_result(set_segment_base(1, 0)));
    bench("fpu-taskswitch", || {
        drop_result(call2(nr::FPU_TASKSWITCH, 0, 0))
    });
    let mut entries = [[nr::XEN_VERSION, 0, 0, 0, 0, 0, 0, 0]; 4];
    bench("multicall-4", || {
        drop_result(call2(nr::MULTICALL, entries.as_mut_ptr() as u64, 4));
    });
}

fn drop_result(result: i64) {
    core::hint::black_box(result);
}

fn page_tables() {
    let page = Page::take();
    let entries = [page.entry(mmu::WRITABLE), page.entry(mmu::READ_ONLY)];
    let slot = mmu::entry_address(page.va, 1);
    let mut turn = 0;
    let mut next = || {
        turn ^= 1;
        entries[turn]
    };
    bench("update-va-mapping", || {
        drop_result(update_va_mapping(page.va, next(), mmu::INVLPG))
    });
    bench("update-va-mapping-no-flush", || {
        drop_result(update_va_mapping(page.va, next(), mmu::NO_FLUSH));
    });
    bench("mmu-update-1", || drop_result(set_entry(slot, next())));
    let table = (guest_kit::pages::va_of(slot >> 12) + (slot & 0xfff)) as *mut u64;
    bench("ptwrite-xchg", || unsafe {
        asm!("xchg [{}], {}", in(reg) table, inout(reg) next() => _);
    });
    bench("ptwrite-lock-and", || unsafe {
        asm!("lock and qword ptr [{}], -3", in(reg) table)
    });
    bench("tlb-flush-local", || {
        drop_result(mmuext_one(ext::TLB_FLUSH_LOCAL, 0, 0))
    });
    bench("invlpg-local", || {
        drop_result(mmuext_one(ext::INVLPG_LOCAL, page.va, 0))
    });
    bench("new-baseptr", || {
        drop_result(mmuext_one(ext::NEW_BASEPTR, mmu::current_l4(), 0))
    });
    let tables = mmu::build_tables(guest_kit::user::CODE);
    bench("pin-unpin-l4", || {
        drop_result(mmu::pin(4, tables[3].mfn()));
        drop_result(mmu::unpin(tables[3].mfn()));
    });
    let cleared = Page::take().mfn();
    bench("clear-page", || {
        drop_result(mmuext_one(ext::CLEAR_PAGE, cleared, 0))
    });
}

/// A frame given up and another had for it: the allocator, its owner's counts, and the look whether memory is low.
fn frames() {
    let page = Page::take().unmap();
    let mut numbers = [page.mfn()];
    let mut ask = |operation, pfn: Option<u64>| {
        numbers[0] = pfn.unwrap_or(numbers[0]);
        // struct xen_memory_reservation: list, count, order and flags, domain
        let argument = [numbers.as_mut_ptr() as u64, 1, 0, DOMID_SELF];
        assert_eq!(memory_op(operation, at(&argument)), 1);
    };
    bench("frame-given-and-had", || {
        // XENMEM_decrease_reservation, XENMEM_populate_physmap
        ask(1, None);
        ask(6, Some(page.pfn()));
    });
}

fn gate(vector: u8, entry: unsafe extern "C" fn()) {
    let mut rows = [TrapInfo::own(vector), TrapInfo::default()];
    rows[0].address = entry as usize as u64;
    assert_eq!(set_trap_table(&rows), 0);
}

/// An iret from kernel mode to kernel mode, to the instruction after it.
fn iret_in_place() {
    unsafe {
        asm!(
            "mov {saved}, rsp",
            "mov {ss}, ss",
            "lea {rip}, [rip + 2f]",
            "push {ss}",
            "push {saved}",
            "push 2",
            "push 0xe030",
            "push {rip}",
            "push 0",
            "push 0",
            "push 0",
            "push 0",
            "mov eax, 23",
            "syscall",
            "2:",
            saved = out(reg) _,
            ss = out(reg) _,
            rip = out(reg) _,
            out("rax") _,
            out("rcx") _,
            out("r11") _,
        )
    }
}

fn traps() {
    bench("iret", iret_in_place);
    gate(3, bench_breakpoint);
    bench("breakpoint-and-iret", || unsafe { asm!("int3") });
    let nothing = Page::take().unmap().va;
    gate(14, bench_page_fault);
    bench("page-fault-and-iret", || unsafe {
        asm!("mov rax, [rax]", inout("rax") nothing => _);
    });
    install();
}

user_code!(call_for_ever, "2: syscall", "jmp 2b");

fn user_mode() {
    if !wanted("user-syscall-and-iret") {
        return;
    }
    let space = UserSpace::new();
    space.load(call_for_ever());
    assert_eq!(
        register_callback(2, 1, bench_syscall as *const () as u64),
        0
    );
    let ticks = |calls: u64| {
        let mut frame = start_frame();
        frame.rbx = calls;
        let start = tsc();
        run(&frame);
        tsc() - start
    };
    // Entering and leaving once costs the same in both: the difference is the calls alone.
    let (few, many) = (OPERATIONS, 11 * OPERATIONS);
    let value = (0..ROUNDS)
        .map(|_| ticks(many).saturating_sub(ticks(few)) / (many - few))
        .min();
    guest_kit::say!("BENCH user-syscall-and-iret {}", value.unwrap_or(0));
    install_callbacks();
}

fn channels() {
    let Ok(port) = events::bind_ipi(0) else {
        return;
    };
    events::set_masked(port, true);
    bench("event-send-masked", || {
        events::clear_pending(port);
        drop_result(events::send(port));
    });
    events::set_masked(port, false);
    events::clear_pending(port);
    events::quiet();
    assert_eq!(register_callback(0, 1, bench_upcall as *const () as u64), 0);
    let info = events::vcpu_info() as *mut events::VcpuInfo as u64;
    events::vcpu_info().mask = 0;
    // The upcall comes on the way out of `send`; its entry finds vcpu_info by this static.
    UPCALL_INFO.store(info, Ordering::SeqCst);
    bench("event-send-upcall-iret", || {
        events::clear_pending(port);
        drop_result(events::send(port));
    });
    events::vcpu_info().mask = 1;
    install_callbacks();
    events::quiet();
    drop_result(events::close(port));
}

fn granting() {
    let table = grants::setup();
    let (page, window) = (Page::take(), Page::take());
    let own = guest_kit::start::own_domain();
    table.grant(20, grants::PERMIT_ACCESS, own, page.mfn());
    bench("grant-map-unmap", || {
        let map = grants::map(window.va, grants::MAP_HOST, 20, own);
        grants::unmap(window.va, map.handle);
    });
    let end = |frame_or_reference, domain| grants::CopyEnd {
        frame_or_reference,
        domain,
        ..grants::CopyEnd::default()
    };
    let target = Page::take().mfn();
    bench("grant-copy-4096", || {
        grants::copy(end(20, own), end(target, 0x7ff0), 4096, 1);
    });
}

/// What another domain lends, which never ran: dom0 made it and wrote its grant table.
fn granting_of_other() {
    if !guest_kit::start::is_dom0() {
        return;
    }
    let lender = Other::create();
    let lent = lender.frame(0);
    let mut table = [0u64];
    // struct xen_mem_acquire_resource: domain and type (a grant table), which; count, first, list
    let mut argument = [lender.0 | 1 << 16, 1, 0, table.as_mut_ptr() as u64];
    assert_eq!(memory_op(28, at_mut(&mut argument)), 0);
    let frame = other::window();
    lender.map(frame, table[0]);
    let table = grants::Table { frame };
    table.grant(20, grants::PERMIT_ACCESS, 0, lent);
    let window = Page::take();
    bench("grant-map-unmap-of-other", || {
        let map = grants::map(window.va, grants::MAP_HOST, 20, lender.0 as u16);
        grants::unmap(window.va, map.handle);
    });
    table.frame.unmap();
}

fn instructions() {
    bench("cpuid-forced", || unsafe {
        asm!(
            "mov {saved}, rbx", "ud2", ".ascii \"xen\"", "cpuid", "mov rbx, {saved}",
            saved = out(reg) _, inout("eax") 1 => _, inout("ecx") 0 => _, out("edx") _,
        );
    });
    bench("read-cr0", || unsafe { asm!("mov {}, cr0", out(reg) _) });
    bench("rdmsr-fs-base", || unsafe {
        asm!("rdmsr", in("ecx") 0xc000_0100u32, out("eax") _, out("edx") _);
    });
}
