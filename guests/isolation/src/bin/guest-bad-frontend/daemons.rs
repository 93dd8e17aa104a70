//! Nonsense for the daemons of dom0 that serve the console and XenStore.

use guest_kit::hypercall::sched_op;
use guest_kit::random::Random;
use guest_kit::{ring_console, xenstore};

/// Scribbles over the console's indices and its output, and tells the daemon; the result goes to
/// XenStore.
pub fn console(random: &mut Random, rounds: u64) {
    use ring_console::Index::*;
    ring_console::drain();
    for _ in 0..rounds {
        for which in [InputConsumed, InputProduced, OutputConsumed, OutputProduced] {
            if random.once_in(2) {
                let value = match random.below(3) {
                    0 => random.next() as u32,
                    1 => u32::MAX,
                    _ => random.below(5000) as u32,
                };
                ring_console::index(which).store(value, core::sync::atomic::Ordering::SeqCst);
            }
        }
        for _ in 0..random.below(300) {
            ring_console::notify();
            sched_op(0, 0);
        }
    }
    let _ = xenstore::write("data/result", "done");
    // So that the end does not wait for a reader that has given up.
    let consumed = ring_console::index(OutputConsumed).load(core::sync::atomic::Ordering::SeqCst);
    ring_console::index(OutputProduced).store(consumed, core::sync::atomic::Ordering::SeqCst);
}

/// Sends requests that are none, and breaks the ring's indices at the end, after which the daemon
/// serves this guest no more.
pub fn store(random: &mut Random, rounds: u64) -> u64 {
    use core::sync::atomic::Ordering::SeqCst;
    use xenstore::Index::*;
    let mut answer = [0; xenstore::ANSWER];
    let mut answered = 0;
    for round in 0..rounds {
        let kind = match random.below(4) {
            0 => random.next() as u32,
            _ => random.below(24) as u32,
        };
        let mut payload = [0u8; 300];
        for byte in &mut payload {
            *byte = random.pick(b"/0aZ\0\0~.@");
        }
        let length = random.below(300) as usize;
        // An answer, a refusal or none at all: the daemon decides.
        if round + 2 < rounds {
            let result = xenstore::request(kind, &[&payload[..length], b"\0"], &mut answer);
            answered += u64::from(result.is_ok());
        }
    }
    guest_kit::say!("FRONTEND store answered {answered} of {rounds}");
    for _ in 0..rounds {
        for byte in 0..512 {
            let place = (xenstore::page() + 4 * byte) as *mut u32;
            unsafe { place.write_volatile(random.next() as u32) };
        }
        for which in [
            RequestsConsumed,
            RequestsProduced,
            AnswersConsumed,
            AnswersProduced,
        ] {
            xenstore::index(which).store(random.next() as u32, SeqCst);
        }
        xenstore::notify();
        sched_op(0, 0);
    }
    answered
}
