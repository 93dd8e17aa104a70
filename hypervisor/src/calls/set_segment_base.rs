//! `set_segment_base`: bases of `fs` and `gs`, which ring 3 cannot set by itself.

use calls::SegmentBase;
use hw::switch;
use vocabulary::{Errno, Refusal, VirtAddr};

use crate::hypercall::{refuse, Answer, Arguments, Caller};

/// Arguments: which (`SEGBASE_*`), the base or selector.
#[inline]
pub fn handle(_: &mut Caller<'_>, arguments: &mut Arguments) -> Answer {
    let [which, value, ..] = arguments.0;
    let which = SegmentBase::from_number(which as u32)
        .map_err(|_| Refusal::new(Errno::EINVAL, "there is no such segment base"))?;
    if !matches!(which, SegmentBase::GsUserSelector) && !VirtAddr(value).is_canonical() {
        return refuse(Errno::EINVAL, "a segment base is not canonical");
    }
    match which {
        SegmentBase::Fs => switch::set_fs_base(value),
        // A hypercall comes from the kernel, so the active base is the kernel's.
        SegmentBase::GsUser => switch::set_gs_base(value, false),
        SegmentBase::GsKernel => switch::set_gs_base(value, true),
        SegmentBase::GsUserSelector => switch::set_gs_user_selector(value),
    }
    Ok(0)
}
