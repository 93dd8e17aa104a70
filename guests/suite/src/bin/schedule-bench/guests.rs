//! Guests of one page of code and one vCPU, which dom0 makes by itself: some yield for ever, others answer events. What
//! a switch from one to another costs, a wake-up of one, and the expiry of a timer where all of them have one set.

#[path = "../../other.rs"]
#[allow(dead_code)]
mod other;

use core::arch::global_asm;

use guest_kit::events;
use guest_kit::hypercall::{at, sched_op};
use guest_kit::mmu::{self, TABLE, WRITABLE};
use guest_kit::pages::{Page, PAGE};
use guest_kit::time::tsc;
use guest_kit::vcpus::{self, Context};

use crate::{rounds, wait_for, Seen, YIELD};
use other::{ask, window, Other};

/// Where a guest's one page lies, code first, and behind it its `shared_info`.
const PROGRAM: u64 = 0x40_0000;
const SHARED_INFO: u64 = PROGRAM + PAGE;
/// Words of the page: how often the guest yielded; what it polls (`struct sched_poll`), its port, the port again.
const COUNT: u64 = 256;
const POLLED: u64 = 264;
const PORT: u64 = 272;
/// More guests than any row asks for.
const MOST: usize = 100;
/// A deadline that never comes.
const NEVER: u64 = 1 << 60;

// In r15 the address of the count, in r14 that of the pending bits, in r13 that of what is polled and in rbx the port.
global_asm!(
    ".pushsection .rodata, \"a\"",
    "guest_programs:",
    // Yields for ever (sched_op 0), and counts.
    "2:",
    "inc qword ptr [r15]",
    "xor edi, edi",
    "xor esi, esi",
    "mov eax, 29",
    "syscall",
    "jmp 2b",
    // Polls (sched_op 3) and answers each event with one (event_channel_op 4).
    ".balign 64",
    "3:",
    "mov edi, 3",
    "mov rsi, r13",
    "mov eax, 29",
    "syscall",
    "lock btr qword ptr [r14], rbx",
    "jnc 3b",
    "mov edi, 4",
    "lea rsi, [r13 + 64]",
    "mov eax, 32",
    "syscall",
    "jmp 3b",
    ".balign 64",
    ".popsection",
);

extern "C" {
    static guest_programs: [u8; 128];
}

/// Where the programs begin in the page.
const YIELDS: u64 = 0;
const ANSWERS: u64 = 64;

// Operations of `domctl`.
const UNPAUSE: u32 = 4;
const INFO: u32 = 5;
const SET_CONTEXT: u32 = 12;

/// The frame of a domain's `shared_info`.
fn shared_info_of(domain: &Other) -> u64 {
    let (answer, request) = ask(INFO, domain.0 as u16, [0; 16]);
    assert_eq!(answer, 0, "getdomaininfo");
    request.part[6]
}

/// The guests, and what dom0 needs to make more.
struct Workshop {
    window: Page,
    context: &'static mut Context,
    guests: [Option<Guest>; MOST],
    count: usize,
}

struct Guest {
    /// Destroyed with this.
    _domain: Other,
    /// Where dom0 sees its page.
    page: Page,
    /// Dom0's port to it.
    port: u32,
}

impl Drop for Guest {
    fn drop(&mut self) {
        self.page.unmap();
    }
}

impl Workshop {
    fn open() -> Self {
        Self {
            window: window(),
            context: vcpus::context(1),
            guests: [const { None }; MOST],
            count: 0,
        }
    }

    /// Lets dom0 write a frame of a domain's for a moment.
    fn fill(&self, domain: &Other, frame: u64, fill: impl FnOnce(&mut [u64; 512])) {
        domain.map(self.window, frame);
        fill(self.window.words());
        self.window.unmap();
    }

    /// Makes a guest that runs the program at an offset, and lets it run.
    fn add(&mut self, program: u64) {
        let domain = Other::create();
        let frames: [u64; 5] = core::array::from_fn(|place| domain.frame(place as u64));
        let [l4, l3, l2, l1, page] = frames;
        let port = events::alloc_unbound(domain.0 as u16, 0).expect("alloc_unbound");
        let own_port = events::bind_interdomain(domain.0 as u16, port).expect("bind_interdomain");
        events::set_masked(own_port, true);
        self.fill(&domain, page, |words| {
            for (place, bytes) in words.iter_mut().zip(unsafe { guest_programs }.chunks(8)) {
                *place = u64::from_le_bytes(bytes.try_into().expect("eight bytes"));
            }
            words[POLLED as usize..][..3].copy_from_slice(&[PROGRAM + PORT * 8, 1, NEVER]);
            words[PORT as usize] = u64::from(port);
        });
        let shared_info = shared_info_of(&domain);
        self.fill(&domain, shared_info, |words| {
            // evtchn_upcall_mask of the vCPU, and the masks of the first 64 ports.
            words[0] |= 1 << 8;
            words[320] = u64::MAX;
        });
        self.fill(&domain, l1, |words| {
            words.fill(0);
            words[mmu::index(PROGRAM, 1) as usize] = (page * PAGE) | WRITABLE;
            words[mmu::index(SHARED_INFO, 1) as usize] = (shared_info * PAGE) | WRITABLE;
        });
        for (level, table, below) in [(2, l2, l1), (3, l3, l2), (4, l4, l3)] {
            self.fill(&domain, table, |words| {
                words.fill(0);
                words[mmu::index(PROGRAM, level) as usize] = (below * PAGE) | TABLE;
            });
        }
        self.start(&domain, l4, program, port);
        let seen = window();
        domain.map(seen, page);
        self.guests[self.count] = Some(Guest {
            _domain: domain,
            page: seen,
            port: own_port,
        });
        self.count += 1;
    }

    fn start(&mut self, domain: &Other, l4: u64, program: u64, port: u32) {
        let context = &mut *self.context;
        // VGCF_in_kernel, VGCF_online
        context.flags = 1 << 2 | 1 << 5;
        context.rip = PROGRAM + program;
        context.rsp = SHARED_INFO;
        context.kernel_sp = SHARED_INFO;
        context.control[3] = l4 << 12;
        context.general[0] = PROGRAM + COUNT * 8;
        context.general[1] = SHARED_INFO + 2048;
        context.general[2] = PROGRAM + POLLED * 8;
        context.general[5] = u64::from(port);
        let mut part = [0; 16];
        part[1] = at(context);
        let number = domain.0 as u16;
        assert_eq!(ask(SET_CONTEXT, number, part).0, 0, "setvcpucontext");
        assert_eq!(ask(UNPAUSE, number, [0; 16]).0, 0, "unpausedomain");
    }

    /// How often the guests yielded, all together.
    fn yields(&self) -> u64 {
        let count = |guest: &Guest| unsafe {
            let page = guest.page.va as *const u64;
            page.add(COUNT as usize).read_volatile()
        };
        self.guests.iter().flatten().map(count).sum()
    }
}

/// Yields that another guest takes, with so many runnable: all the time there was, by the switches in it.
pub fn switches() {
    let mut workshop = Workshop::open();
    for (runnable, name) in [
        (2, "guest-switch-of-2"),
        (10, "guest-switch-of-10"),
        (100, "guest-switch-of-100"),
    ] {
        while workshop.count + 1 < runnable {
            workshop.add(YIELDS);
        }
        // Each comes up and has its turns.
        for _ in 0..20 {
            sched_op(YIELD, 0);
        }
        let (before, turns) = (workshop.yields(), rounds());
        let start = tsc();
        for _ in 0..turns {
            sched_op(YIELD, 0);
        }
        let taken = tsc() - start;
        let switches = turns + workshop.yields() - before;
        guest_kit::say!("BENCH {name} {}", taken / switches);
        guest_kit::say!("schedule: {name} {turns} of {switches}");
    }
}

/// Wakes a guest and waits for its answer; then again, and has a timer expire, where 99 others sleep until a deadline.
pub fn waking() {
    let mut workshop = Workshop::open();
    workshop.add(ANSWERS);
    round_trips(&workshop, "guest-wake", "guest-round-trip");
    while workshop.count < MOST {
        workshop.add(ANSWERS);
    }
    round_trips(&workshop, "guest-wake-of-100", "guest-round-trip-of-100");
    crate::expire("timer-expiry-of-100");
}

fn round_trips(workshop: &Workshop, wake_name: &str, round_name: &str) {
    let (wake, round) = (Seen::nothing(), Seen::nothing());
    let last = workshop.guests.iter().flatten().last();
    let port = last.expect("there is a guest").port;
    for turn in 0..rounds() + 10 {
        events::clear_pending(port);
        let start = tsc();
        events::send(port);
        let sent = tsc();
        wait_for(port);
        // It has come up and blocked after a few rounds.
        if turn >= 10 {
            wake.note(sent - start);
            round.note(tsc() - start);
        }
    }
    wake.tell(wake_name);
    round.tell(round_name);
}
