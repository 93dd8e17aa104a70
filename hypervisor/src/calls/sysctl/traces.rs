//! `XEN_SYSCTL_tbuf_op`: trace buffers.

use ::trace::Mask;
use calls::SysctlTraceOp;
use vocabulary::{Errno, Refusal, Refused};
use xen_abi::sysctl_watch::TbufOp;

use super::Request;
use crate::{bitmap, processors, trace};

/// Bytes of a frame.
const FRAME: u32 = 4096;
/// Bytes of a set of processors.
const SET: usize = hw::percpu::MAX_CPUS / 8;

/// Does one operation. EINVAL: no such operation, or what it asks for cannot be.
pub fn operate(request: &mut Request) -> Refused<()> {
    let mut asked = request.part::<TbufOp>()?;
    let operation = SysctlTraceOp::from_number(asked.cmd)
        .map_err(|_| Refusal::new(Errno::EINVAL, "no such operation on trace buffers"))?;
    match operation {
        SysctlTraceOp::GetInfo => {
            let (frames, first, _) = trace::sizes();
            asked.evt_mask = trace::chosen().0;
            asked.buffer_mfn = first.0;
            asked.size = frames * FRAME;
            request.answer(&asked)
        }
        SysctlTraceOp::SetCpuMask => {
            let mut set = [0; SET];
            bitmap::read(&asked.cpu_mask, &mut set)?;
            let any = (0..processors::count()).any(|index| {
                set.get(index / 8)
                    .is_some_and(|byte| byte >> (index % 8) & 1 == 1)
            });
            if !any {
                return Err(Refusal::new(Errno::EINVAL, "no processor is left to trace"));
            }
            trace::choose_processors(&set);
            Ok(())
        }
        SysctlTraceOp::SetEvtMask => {
            trace::choose(Mask(asked.evt_mask));
            Ok(())
        }
        SysctlTraceOp::SetSize => trace::make_rings(asked.size),
        SysctlTraceOp::Enable => trace::enable(),
        SysctlTraceOp::Disable => {
            trace::disable();
            Ok(())
        }
    }
}
