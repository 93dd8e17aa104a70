//! The hypercalls, and the macros that hand their rows on.

use crate::{Operation, State};

/// Hands every hypercall's row to the macro `$then`: `number State name (: Enum)? (, "note")? ;`.
#[macro_export]
macro_rules! with_hypercalls {
    ($then:ident) => { $crate::with_hypercalls! { [$then] } };
    ([$($then:tt)*] $($before:tt)*) => {
        $($then)*! {
            $($before)*
            0 Done set_trap_table;
            1 Done mmu_update: MmuUpdateOp;
            2 Done set_gdt;
            3 Done stack_switch;
            4 Done set_callbacks;
            5 Done fpu_taskswitch;
            6 Done sched_op_compat, "superseded by sched_op in 3.0.2";
            7 Done platform_op: PlatformOp;
            8 Done set_debugreg;
            9 Done get_debugreg;
            10 Done update_descriptor;
            12 Done memory_op: MemoryOp;
            13 Done multicall;
            14 Done update_va_mapping;
            15 Done set_timer_op;
            16 Done event_channel_op_compat, "superseded by event_channel_op in 3.2.2";
            17 Done xen_version: VersionOp;
            18 Done console_io: ConsoleIoOp;
            19 Missing physdev_op_compat, "superseded by physdev_op in 3.2.2";
            20 Done grant_table_op: GrantTableOp;
            21 Done vm_assist: AssistType;
            22 Done update_va_mapping_otherdomain;
            23 Done iret;
            24 Done vcpu_op: VcpuOp;
            25 Done set_segment_base: SegmentBase;
            26 Done mmuext_op: MmuextOp;
            27 Refused xsm_op: FlaskOp, "no security module, as in Debian's Xen";
            28 Done nmi_op: NmiOp;
            29 Done sched_op: SchedOp;
            30 Done callback_op: CallbackOp;
            31 Missing xenoprof_op: ProfileOp, "no user since Linux 2.6";
            32 Done event_channel_op: EventChannelOp;
            33 Done physdev_op: PhysdevOp;
            34 Done hvm_op: HvmOp, "no HVM domains";
            35 Done sysctl: SysctlOp;
            36 Done domctl: DomctlOp;
            37 Done kexec_op: KexecOp;
            38 Refused tmem_op, "removed from Xen in 4.13";
            39 Refused argo_op: ArgoOp, "off by default in Xen too";
            40 Done xenpmu_op: XenpmuOp, "EOPNOTSUPP: guests' performance counters are off, as without `vpmu` in Xen";
            41 Done dm_op: DeviceModelOp, "EINVAL: no HVM domains";
            42 Done hypfs_op: HypfsOp;
            48 Done mca: MachineCheckOp;
            49 Refused arch_1, "Xen's continuation of a domctl, not for guests";
            50 Refused arch_2, "no meaning on x86";
            51 Refused arch_3, "no meaning on x86";
            52 Refused arch_4, "no meaning on x86";
            53 Refused arch_5, "no meaning on x86";
            54 Refused arch_6, "no meaning on x86";
            55 Refused arch_7, "no meaning on x86";
        }
    };
}

/// Hands the hypercalls that are `Done` to the macro `$then`, as `number => name,` each.
///
/// What `$then` makes of it compiles only if there is something behind every name:
///
/// ```
/// # mod handlers { macro_rules! handler { ($($n:literal => $name:ident,)*) => { $(
/// #     pub mod $name { pub fn handle(argument: u64) -> i64 { argument as i64 } }
/// # )* } } calls::with_done_hypercalls!(handler); }
/// macro_rules! dispatcher {
///     ($($number:literal => $name:ident,)*) => {
///         fn dispatch(number: u32, argument: u64) -> Option<i64> {
///             match number {
///                 $( $number => Some(handlers::$name::handle(argument)), )*
///                 _ => None,
///             }
///         }
///     };
/// }
/// calls::with_done_hypercalls!(dispatcher);
///
/// assert_eq!(dispatch(13, 7), Some(7));
/// assert_eq!(dispatch(38, 7), None);
/// ```
#[macro_export]
macro_rules! with_done_hypercalls {
    ($then:ident) => {
        $crate::with_hypercalls! { [$crate::__keep_done_hypercalls] $then [] }
    };
}

/// Drops the rows that are not done; the work of [`with_done_hypercalls!`].
#[doc(hidden)]
#[macro_export]
macro_rules! __keep_done_hypercalls {
    ($then:ident [$($done:tt)*]) => { $then! { $($done)* } };
    ($then:ident [$($done:tt)*]
        $number:literal Done $name:ident $(: $operations:ident)? $(, $note:literal)? ; $($rest:tt)*
    ) => {
        $crate::__keep_done_hypercalls! { $then [$($done)* $number => $name,] $($rest)* }
    };
    ($then:ident [$($done:tt)*]
        $number:literal $state:ident $name:ident $(: $operations:ident)? $(, $note:literal)? ; $($rest:tt)*
    ) => {
        $crate::__keep_done_hypercalls! { $then [$($done)*] $($rest)* }
    };
}

/// A row of the table: one hypercall.
#[derive(Clone, Copy, Debug)]
pub struct Hypercall {
    /// Its number.
    pub number: u32,
    /// Its name, as in `__HYPERVISOR_name`.
    pub name: &'static str,
    /// How far it is.
    pub state: State,
    /// Why, or what of it; may be empty.
    pub note: &'static str,
    /// Its sub-operations.
    pub operations: &'static [Operation],
}

macro_rules! list {
    (@note) => { "" };
    (@note $note:literal) => { $note };
    (@operations) => { &[] };
    (@operations $operations:ident) => { $crate::$operations::OPERATIONS };
    ($( $number:literal $state:ident $name:ident $(: $operations:ident)? $(, $note:literal)? ; )*) => {
        /// Every hypercall of the headers, by number.
        pub static HYPERCALLS: &[Hypercall] = &[ $(
            Hypercall {
                number: $number,
                name: stringify!($name),
                state: State::$state,
                note: list!(@note $($note)?),
                operations: list!(@operations $($operations)?),
            }
        ),* ];
    };
}

with_hypercalls!(list);

/// The row of hypercall `number`, if the headers know it.
pub fn hypercall(number: u32) -> Option<&'static Hypercall> {
    HYPERCALLS
        .binary_search_by_key(&number, |row| row.number)
        .ok()
        .and_then(|at| HYPERCALLS.get(at))
}
