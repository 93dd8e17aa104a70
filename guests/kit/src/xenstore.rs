//! A small client of XenStore, over the ring shared with dom0's daemon (public/io/xs_wire.h).
//!
//! One request at a time, from one vCPU, each waiting for its answer; no transactions, no watches.
//! Relative paths are those below `/local/domain/OWN-NUMBER`.

use crate::hypercall::{at, sched_op};
use crate::pages::va_of;
use crate::start::start_info;
use core::sync::atomic::{fence, AtomicU32, Ordering};

/// Kinds of messages.
#[allow(missing_docs)]
pub mod kind {
    pub const DIRECTORY: u32 = 1;
    pub const READ: u32 = 2;
    pub const WATCH: u32 = 4;
    pub const TRANSACTION_START: u32 = 6;
    pub const WRITE: u32 = 11;
    pub const MKDIR: u32 = 12;
    pub const REMOVE: u32 = 13;
    pub const SET_PERMS: u32 = 14;
    pub const WATCH_EVENT: u32 = 15;
    pub const ERROR: u32 = 16;
}

/// Bytes of each of the two rings.
const RING: u32 = 1024;
/// Where the indices lie: requests consumed and produced, answers consumed and produced.
const INDICES_AT: u64 = 2048;
/// How long an answer may take, in nanoseconds.
const PATIENCE: u64 = 20_000_000_000;
/// The most an answer may hold (XENSTORE_PAYLOAD_MAX).
pub const ANSWER: usize = 4096;

static NEXT_REQUEST: AtomicU32 = AtomicU32::new(1);

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The daemon refused; the text it gave for why, cut to 16 bytes.
    Refused([u8; 16]),
    /// No answer in time.
    Silent,
}

/// The four indices in the page.
#[derive(Clone, Copy)]
pub enum Index {
    /// Requests the daemon has read.
    RequestsConsumed = 0,
    /// Requests this guest has written.
    RequestsProduced = 1,
    /// Answers this guest has read.
    AnswersConsumed = 2,
    /// Answers the daemon has written.
    AnswersProduced = 3,
}

/// The address of the page with the two rings.
pub fn page() -> u64 {
    va_of(start_info().store_mfn)
}

/// One of the indices, as both sides see it.
pub fn index(which: Index) -> &'static AtomicU32 {
    unsafe { &*((page() + INDICES_AT + 4 * which as u64) as *const AtomicU32) }
}

/// Tells the daemon to look.
pub fn notify() -> i64 {
    crate::events::send(start_info().store_evtchn)
}

/// Sends a request made of `parts` and puts the answer's payload into `answer`; gives its length.
pub fn request(kind: u32, parts: &[&[u8]], answer: &mut [u8; ANSWER]) -> Result<usize, Failure> {
    let identity = NEXT_REQUEST.fetch_add(1, Ordering::Relaxed);
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let end = crate::time::now() + PATIENCE;
    for word in [kind, identity, 0, length as u32] {
        send_bytes(&word.to_le_bytes(), end)?;
    }
    for part in parts {
        send_bytes(part, end)?;
    }
    loop {
        let mut header = [0u32; 4];
        for word in &mut header {
            let mut bytes = [0u8; 4];
            receive_bytes(&mut bytes, end)?;
            *word = u32::from_le_bytes(bytes);
        }
        let length = (header[3] as usize).min(ANSWER);
        receive_bytes(&mut answer[..length], end)?;
        // A watch's event or the answer to a request that was given up: not ours.
        if header[0] == kind::WATCH_EVENT || header[1] != identity {
            continue;
        }
        if header[0] == kind::ERROR {
            let mut why = [0u8; 16];
            let taken = length.min(16);
            why[..taken].copy_from_slice(&answer[..taken]);
            return Err(Failure::Refused(why));
        }
        return Ok(length);
    }
}

/// The value at a path, as text in `answer`.
pub fn read<'a>(path: &str, answer: &'a mut [u8; ANSWER]) -> Result<&'a str, Failure> {
    let length = request(kind::READ, &[path.as_bytes(), b"\0"], answer)?;
    Ok(core::str::from_utf8(&answer[..length]).unwrap_or(""))
}

/// The number at a path.
pub fn read_number(path: &str) -> Option<u64> {
    let mut answer = [0; ANSWER];
    read(path, &mut answer).ok()?.parse().ok()
}

/// Waits until there is a number at a path, for so many seconds.
pub fn wait_for_number(path: &str, seconds: u64) -> Option<u64> {
    let end = crate::time::now() + seconds * crate::time::SECOND;
    while crate::time::now() < end {
        if let Some(number) = read_number(path) {
            return Some(number);
        }
        sleep(100_000_000);
    }
    None
}

/// Writes a value.
pub fn write(path: &str, value: &str) -> Result<(), Failure> {
    let mut answer = [0; ANSWER];
    request(
        kind::WRITE,
        &[path.as_bytes(), b"\0", value.as_bytes()],
        &mut answer,
    )
    .map(drop)
}

/// Writes a number.
pub fn write_number(path: &str, value: u64) -> Result<(), Failure> {
    use core::fmt::Write;
    let mut line = crate::console::Line::new();
    let _ = write!(line, "{value}");
    write(path, line.text())
}

/// Gives the processor away for so many nanoseconds (`SCHEDOP_poll` on the store's port, which
/// also ends at an answer).
pub fn sleep(nanoseconds: u64) {
    let port = start_info().store_evtchn;
    let ports = [port];
    let argument = [at(&ports), 1, crate::time::now().wrapping_add(nanoseconds)];
    sched_op(3, at(&argument));
    crate::events::clear_pending(port);
}

fn send_bytes(bytes: &[u8], end: u64) -> Result<(), Failure> {
    let mut left = bytes;
    while !left.is_empty() {
        let produced = index(Index::RequestsProduced).load(Ordering::SeqCst);
        let used = produced.wrapping_sub(index(Index::RequestsConsumed).load(Ordering::SeqCst));
        let taken = left.len().min(RING.saturating_sub(used) as usize);
        for (offset, byte) in left[..taken].iter().enumerate() {
            let place = produced.wrapping_add(offset as u32) % RING;
            unsafe { ((page() + place as u64) as *mut u8).write_volatile(*byte) };
        }
        fence(Ordering::SeqCst);
        index(Index::RequestsProduced).store(produced.wrapping_add(taken as u32), Ordering::SeqCst);
        left = &left[taken..];
        notify();
        wait(taken == 0, end)?;
    }
    Ok(())
}

fn receive_bytes(bytes: &mut [u8], end: u64) -> Result<(), Failure> {
    let mut got = 0;
    while got < bytes.len() {
        let consumed = index(Index::AnswersConsumed).load(Ordering::SeqCst);
        let there = index(Index::AnswersProduced)
            .load(Ordering::SeqCst)
            .wrapping_sub(consumed);
        let taken = (bytes.len() - got).min(there.min(RING) as usize);
        for (offset, byte) in bytes[got..got + taken].iter_mut().enumerate() {
            let place = consumed.wrapping_add(offset as u32) % RING;
            *byte = unsafe { ((page() + RING as u64 + place as u64) as *const u8).read_volatile() };
        }
        fence(Ordering::SeqCst);
        index(Index::AnswersConsumed).store(consumed.wrapping_add(taken as u32), Ordering::SeqCst);
        got += taken;
        if taken > 0 {
            notify();
        }
        wait(taken == 0, end)?;
    }
    Ok(())
}

fn wait(idle: bool, end: u64) -> Result<(), Failure> {
    if crate::time::now() > end {
        return Err(Failure::Silent);
    }
    if idle {
        sleep(10_000_000);
    }
    Ok(())
}
