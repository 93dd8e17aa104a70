//! `hypfs_op`: what the hypervisor is, and what of it can be changed while it runs.

use alloc::string::ToString;

use ::calls::HypfsOp;
use hypfs::{Found, Node, Value};
use memory::Stop;
use options::LevelPair;
use sched::Granularity;
use vocabulary::{refuse, Errno, Refusal, Refused};
use xen_abi::hypfs::{DirEntry, XEN_HYPFS_VERSION};

use crate::calls::xen_version;
use crate::hypercall::{Answer, Arguments, Caller};
use crate::schedule::pools;
use crate::{authority, guest, log};

/// The leaves of the tree.
#[derive(Clone, Copy, Debug)]
enum Leaf {
    Changeset,
    CompiledBy,
    CompileDate,
    CompileDomain,
    Compiler,
    Configuration,
    Extra,
    Major,
    Minor,
    /// What a pool's policy chooses for.
    Granularity,
    GuestLevel,
    OwnLevel,
}

/// Bytes that a pair of levels may have when it is written.
const LEVELS: u32 = 16;
/// Bytes that a granularity may have when it is written, as with Xen.
const GRANULARITY: u32 = 8;

static TREE: Node<Leaf> = Node::Directory(&[
    (
        "buildinfo",
        Node::Directory(&[
            ("changeset", Node::Leaf(Leaf::Changeset, 0)),
            (
                "compileinfo",
                Node::Directory(&[
                    ("compile_by", Node::Leaf(Leaf::CompiledBy, 0)),
                    ("compile_date", Node::Leaf(Leaf::CompileDate, 0)),
                    ("compile_domain", Node::Leaf(Leaf::CompileDomain, 0)),
                    ("compiler", Node::Leaf(Leaf::Compiler, 0)),
                ]),
            ),
            ("config", Node::Leaf(Leaf::Configuration, 0)),
            (
                "version",
                Node::Directory(&[
                    ("extra", Node::Leaf(Leaf::Extra, 0)),
                    ("major", Node::Leaf(Leaf::Major, 0)),
                    ("minor", Node::Leaf(Leaf::Minor, 0)),
                ]),
            ),
        ]),
    ),
    (
        "cpupool",
        Node::Numbered(
            pools::numbers,
            &Node::Directory(&[("sched-gran", Node::Leaf(Leaf::Granularity, GRANULARITY))]),
        ),
    ),
    (
        "params",
        Node::Directory(&[
            ("guest_loglvl", Node::Leaf(Leaf::GuestLevel, LEVELS)),
            ("loglvl", Node::Leaf(Leaf::OwnLevel, LEVELS)),
        ]),
    ),
]);

/// What can be configured of Xen when it is built, of which this is always so.
const CONFIGURATION: &str = "CONFIG_PV=y\nCONFIG_HYPFS=y\nCONFIG_SCHED_CREDIT2=y\n";

fn value(leaf: Leaf, number: Option<u32>) -> Value {
    let text = |bytes: &[u8]| Value::Text(core::str::from_utf8(bytes).unwrap_or("").to_string());
    match leaf {
        Leaf::Changeset => text(xen_version::CHANGESET),
        Leaf::CompiledBy => text(xen_version::COMPILED_BY),
        Leaf::CompileDate | Leaf::CompileDomain => text(b""),
        Leaf::Compiler => text(xen_version::COMPILER),
        Leaf::Configuration => text(CONFIGURATION.as_bytes()),
        Leaf::Extra => text(xen_version::EXTRA),
        Leaf::Major => Value::Number((xen_version::VERSION >> 16) as u32),
        Leaf::Minor => Value::Number(xen_version::VERSION as u32 & 0xffff),
        Leaf::Granularity => {
            let known = number.and_then(|pool| pools::granularity(pool).ok());
            text(known.unwrap_or_default().name().as_bytes())
        }
        Leaf::GuestLevel => Value::Text(log::GUESTS.get().to_string()),
        Leaf::OwnLevel => Value::Text(log::OWN.get().to_string()),
    }
}

/// Arguments: operation, path and its length, buffer and its length.
pub fn handle(caller: &mut Caller<'_>, arguments: &mut Arguments) -> Answer {
    let [operation, path, path_length, buffer, length, _] = arguments.0;
    let operation = operation as u32;
    authority::control(caller.vcpu)?;
    if operation == HypfsOp::GetVersion.number() {
        if path != 0 || path_length != 0 || buffer != 0 || length != 0 {
            return Err(Refusal::new(Errno::EINVAL, "the version has no arguments").into());
        }
        return Ok(u64::from(XEN_HYPFS_VERSION));
    }
    let found = node_at(path, path_length)?;
    match HypfsOp::from_number(operation).map_err(Refusal::from)? {
        HypfsOp::GetVersion => Ok(u64::from(XEN_HYPFS_VERSION)),
        HypfsOp::Read => read(&found, buffer, length),
        HypfsOp::WriteContents => Ok(write(&found, buffer, length).map(|()| 0)?),
    }
}

fn node_at(path: u64, length: u64) -> Refused<Found<'static, Leaf>> {
    let mut bytes = [0; hypfs::MOST_PATH];
    let room = usize::try_from(length).ok();
    let Some(bytes) = room.and_then(|length| bytes.get_mut(..length)) else {
        return refuse(Errno::EINVAL, "a path has at most 1024 bytes");
    };
    guest::read_bytes(path, bytes)?;
    hypfs::find(&TREE, hypfs::path_of(bytes)?)
}

fn read(found: &Found<'_, Leaf>, buffer: u64, room: u64) -> Answer {
    let head = size_of::<DirEntry>() as u64;
    if room < head {
        return Err(Refusal::new(Errno::EINVAL, "not even a description has room").into());
    }
    let answer = hypfs::describe(found, &value);
    guest::write(buffer, &answer.entry)?;
    if room - head < answer.content.len() as u64 {
        let refusal = Refusal::new(
            Errno::ENOBUFS,
            "the entry holds more than there is room for",
        );
        return Err(Stop::Refused(refusal));
    }
    guest::write_bytes(buffer.wrapping_add(head), &answer.content)?;
    Ok(0)
}

fn write(found: &Found<'_, Leaf>, buffer: u64, length: u64) -> Refused<()> {
    let (leaf, most) = match found.node {
        Node::Leaf(leaf, most) if *most != 0 => (*leaf, *most),
        _ => return refuse(Errno::EACCES, "the entry can only be read"),
    };
    let mut bytes = [0; LEVELS as usize];
    let room = usize::try_from(length)
        .ok()
        .filter(|&length| length <= most as usize);
    let Some(bytes) = room.and_then(|length| bytes.get_mut(..length)) else {
        return refuse(Errno::EINVAL, "the entry does not take that much");
    };
    guest::read_bytes(buffer, bytes)?;
    let text = match bytes.split_last() {
        Some((0, text)) => core::str::from_utf8(text).unwrap_or("\0"),
        _ => return refuse(Errno::EDOM, "text ends with a zero"),
    };
    match leaf {
        Leaf::GuestLevel => set_levels(&log::GUESTS, text),
        Leaf::OwnLevel => set_levels(&log::OWN, text),
        Leaf::Granularity => match (Granularity::from_name(text), found.number) {
            (Some(granularity), Some(pool)) => pools::set_granularity(pool, granularity),
            _ => refuse(Errno::EINVAL, "there is no such granularity"),
        },
        _ => refuse(Errno::EACCES, "the entry can only be read"),
    }
}

fn set_levels(threshold: &log::Threshold, text: &str) -> Refused<()> {
    let text = if text.is_empty() { "warning" } else { text };
    match LevelPair::from_value(text) {
        Some(levels) => {
            threshold.set(levels);
            Ok(())
        }
        None => refuse(Errno::EINVAL, "there is no such level of messages"),
    }
}
