//! Hypercalls: from the guest's registers to one file each in `calls/`, and the answer back.

use hw::registers::Registers;
use memory::{Attempt, Stop};
use vocabulary::{Errno, Refusal};

use crate::calls;
use crate::vcpu::Vcpu;
use crate::{current, refusals, trace};

/// Who calls.
pub struct Caller<'a> {
    /// The calling vCPU, which runs here.
    pub vcpu: &'a Vcpu,
    /// Its registers.
    pub registers: &'a mut Registers,
}

/// The six arguments. A handler that stops with [`Stop::Again`] changes them so that the same call goes on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Arguments(pub [u64; 6]);

impl Arguments {
    /// Argument `number`, 0 to 5.
    #[inline(always)]
    pub fn get(&self, number: usize) -> u64 {
        self.0.get(number).copied().unwrap_or(0)
    }

    /// Changes argument `number` for the continuation.
    #[inline]
    pub fn set(&mut self, number: usize, value: u64) {
        if let Some(place) = self.0.get_mut(number) {
            *place = value;
        }
    }
}

/// What a handler answers: the value for `rax`, a refusal, or "call again".
pub type Answer = Attempt<u64>;

/// A refusal as a handler's answer.
#[inline]
pub fn refuse(errno: Errno, rule: &'static str) -> Answer {
    Err(Stop::Refused(Refusal::new(errno, rule)))
}

/// The `rax` of a refusal.
#[inline]
pub fn answer_of(refusal: &Refusal) -> u64 {
    refusal.errno.answer() as u64
}

/// A hypercall's handler.
type Handler = fn(&mut Caller<'_>, &mut Arguments) -> Answer;

/// Numbers the table has room for; the interface's end at 55.
const NUMBERS: usize = 64;

macro_rules! dispatcher {
    ($($number:literal => $name:ident,)*) => {
        /// The handler of each number that works. A number beyond the table would not compile.
        #[allow(clippy::indexing_slicing, reason = "evaluated by the compiler")]
        static HANDLERS: [Option<Handler>; NUMBERS] = {
            let mut table: [Option<Handler>; NUMBERS] = [None; NUMBERS];
            $( table[$number] = Some(calls::$name::handle); )*
            table
        };
    };
}
::calls::with_done_hypercalls!(dispatcher);

/// The handler of hypercall `number`; `None` where it is none that works.
#[inline(always)]
pub fn handler(number: u64) -> Option<Handler> {
    HANDLERS.get(number as usize).copied().flatten()
}

/// What `syscall` from a guest kernel leads to.
pub extern "C" fn entry(registers: &mut Registers) {
    current::with(|vcpu| run(vcpu, registers));
}

/// Length of the `syscall` instruction, to which a call that goes on is rewound.
const SYSCALL_LENGTH: u64 = 2;

#[inline(always)]
fn run(vcpu: &Vcpu, registers: &mut Registers) {
    let number = registers.rax;
    vcpu.counters.hypercall(number);
    trace::note(trace::event::PV_HYPERCALL, &[number as u32]);
    let Some(handler) = handler(number) else {
        registers.rax = Errno::ENOSYS.answer() as u64;
        return refusals::unknown_call(vcpu, number);
    };
    let mut arguments = arguments_of(registers);
    let mut caller = Caller { vcpu, registers };
    let answer = handler(&mut caller, &mut arguments);
    let registers = caller.registers;
    match answer {
        // `iret` has replaced the whole frame, and answers the `rax` it put there.
        Ok(value) => registers.rax = value,
        Err(Stop::Refused(refusal)) => {
            registers.rax = answer_of(&refusal);
            // Registers keep the arguments as they were given: a handler changes its copy only.
            refusals::note(vcpu, number, &arguments_of(registers), refusal);
        }
        Err(Stop::Again) => {
            registers.rip = registers.rip.wrapping_sub(SYSCALL_LENGTH);
            let [rdi, rsi, rdx, r10, r8, r9] = arguments.0;
            (registers.rdi, registers.rsi, registers.rdx) = (rdi, rsi, rdx);
            (registers.r10, registers.r8, registers.r9) = (r10, r8, r9);
        }
    }
}

#[inline(always)]
fn arguments_of(registers: &Registers) -> Arguments {
    Arguments([
        registers.rdi,
        registers.rsi,
        registers.rdx,
        registers.r10,
        registers.r8,
        registers.r9,
    ])
}
