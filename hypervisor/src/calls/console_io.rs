//! `console_io`: dom0's way to the console, and guests' when they are let print.

use calls::ConsoleIoOp;
use vocabulary::{Errno, Refusal};

use crate::domain::Domain;
use crate::hypercall::{refuse, Answer, Arguments, Caller};
use crate::log::{self, Level};
use crate::{console, guest};

/// Bytes moved before a call is continued.
const BATCH: u64 = 1024;

/// Arguments: operation, count, buffer.
pub fn handle(caller: &mut Caller<'_>, arguments: &mut Arguments) -> Answer {
    let [operation, count, buffer, ..] = arguments.0;
    let domain = &caller.vcpu.domain;
    let writes = operation as u32 == ConsoleIoOp::Write.number();
    if !domain.privileged && !writes {
        return refuse(Errno::EPERM, "only the first domain reads the console");
    }
    let count = u64::from(count as u32);
    match ConsoleIoOp::from_number(operation as u32).map_err(Refusal::from)? {
        ConsoleIoOp::Write => write(domain, arguments, count, buffer),
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

fn write(domain: &Domain, arguments: &mut Arguments, count: u64, buffer: u64) -> Answer {
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
        if domain.privileged {
            console::write_of_dom0(bytes);
        } else {
            write_of_guest(domain, bytes);
        }
        done += length;
    }
    Ok(0)
}

/// Other guests' output is shown line by line like any message about them.
fn write_of_guest(domain: &Domain, bytes: &[u8]) {
    let mut output = domain.output.lock();
    output.take(bytes, |line| guest_line(domain, line));
}

fn guest_line(domain: &Domain, line: &str) {
    log::guests(Level::Debug, format_args!("(d{}) {line}", domain.id));
}
