//! `console_io`: dom0's way to the console, and guests' when they are let print.

use calls::ConsoleIoOp;
use vocabulary::{Errno, Refusal};

use crate::hypercall::{refuse, Answer, Arguments, Caller};
use crate::{console, guest};

/// Bytes moved before a call is continued.
const BATCH: u64 = 1024;

/// Arguments: operation, count, buffer.
pub fn handle(caller: &mut Caller<'_>, arguments: &mut Arguments) -> Answer {
    let [operation, count, buffer, ..] = arguments.0;
    if !caller.vcpu.domain.privileged {
        return refuse(Errno::EPERM, "only the first domain has the console");
    }
    let count = u64::from(count as u32);
    match ConsoleIoOp::from_number(operation as u32).map_err(Refusal::from)? {
        ConsoleIoOp::Write => write(arguments, count, buffer),
        ConsoleIoOp::Read => {
            let mut typed = [0; 256];
            let room = typed.get_mut(..count.min(256) as usize).unwrap_or_default();
            let read = console::read(room);
            let Some(bytes) = room.get(..read) else {
                return Ok(0);
            };
            guest::write_bytes(buffer, bytes)?;
            Ok(read as u64)
        }
    }
}

fn write(arguments: &mut Arguments, count: u64, buffer: u64) -> Answer {
    let mut done = 0;
    while done < count {
        if done >= BATCH {
            arguments.set(1, count - done);
            arguments.set(2, buffer.wrapping_add(done));
            return Err(memory::Stop::Again);
        }
        let mut piece = [0; 128];
        let length = (count - done).min(128);
        let Some(bytes) = piece.get_mut(..length as usize) else {
            break;
        };
        guest::read_bytes(buffer.wrapping_add(done), bytes)?;
        console::write_of_dom0(bytes);
        done += length;
    }
    Ok(0)
}
