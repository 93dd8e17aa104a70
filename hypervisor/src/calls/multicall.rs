//! `multicall`: several hypercalls for one entry.

use memory::Stop;
use vocabulary::Errno;

use crate::hypercall::{self, answer_of, Answer, Arguments, Caller};
use crate::{guest, refusals};

/// Words of a `struct multicall_entry`: number, result, six arguments.
const WORDS: usize = 8;
/// Its size in bytes.
const SIZE: u64 = WORDS as u64 * 8;
/// Calls done before the batch is continued.
const BATCH: u64 = 128;
/// Number of `multicall` itself.
const MULTICALL: u64 = 13;

/// Arguments: the entries, their count.
pub fn handle(caller: &mut Caller<'_>, arguments: &mut Arguments) -> Answer {
    let [entries, count, ..] = arguments.0;
    let count = count & 0xffff_ffff;
    for done in 0..count {
        if done == BATCH {
            return go_on(arguments, entries, count, done);
        }
        let at = entries.wrapping_add(done * SIZE);
        let [number, _, a, b, c, d, e, f] = guest::read_words::<WORDS>(at)?;
        let given = Arguments([a, b, c, d, e, f]);
        let mut own = given;
        match one(caller, number, &mut own) {
            Some(Ok(value)) => guest::write_word(at.wrapping_add(8), value)?,
            Some(Err(Stop::Refused(refusal))) => {
                refusals::note(caller.vcpu, number, &given, refusal);
                guest::write(at.wrapping_add(8), &answer_of(&refusal))?;
            }
            Some(Err(Stop::Again)) => {
                guest::write(at.wrapping_add(16), &own.0)?;
                return go_on(arguments, entries, count, done);
            }
            None => {
                refusals::unknown_call(caller.vcpu, number);
                guest::write(at.wrapping_add(8), &Errno::ENOSYS.answer())?;
            }
        }
    }
    Ok(0)
}

#[inline]
fn one(caller: &mut Caller<'_>, number: u64, arguments: &mut Arguments) -> Option<Answer> {
    // A batch in a batch, and calls that replace the frame, have no place in a batch.
    if number == MULTICALL {
        return Some(hypercall::refuse(
            Errno::EINVAL,
            "a batch of calls in a batch of calls",
        ));
    }
    if number == super::iret::NUMBER {
        return None;
    }
    caller.vcpu.counters.hypercall(number);
    hypercall::handler(number).map(|handler| handler(caller, arguments))
}

fn go_on(arguments: &mut Arguments, entries: u64, count: u64, done: u64) -> Answer {
    arguments.set(0, entries.wrapping_add(done * SIZE));
    arguments.set(1, count - done);
    Err(Stop::Again)
}
