//! Entries as the interface writes them down (public `hypfs.h`).

use alloc::string::ToString;
use alloc::vec::Vec;

use xen_abi::hypfs::{
    DirEntry, XEN_HYPFS_ENC_PLAIN, XEN_HYPFS_TYPE_BOOL, XEN_HYPFS_TYPE_DIR, XEN_HYPFS_TYPE_STRING,
    XEN_HYPFS_TYPE_UINT,
};
use zerocopy::IntoBytes;

use crate::{Found, Node, Value};

/// What reading an entry answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// What the entry is.
    pub entry: DirEntry,
    /// What it holds.
    pub content: Vec<u8>,
}

/// Bytes of a name in a listing are a multiple of this, the zero at its end counted.
const NAME_STEP: usize = 4;

/// Describes an entry, asking `value` what its leaves hold, each by the number that it is below. A directory holds, for each of its entries,
/// what it is, the distance to the next (0 for the last), and its name.
pub fn describe<L: Copy>(found: &Found<'_, L>, value: &impl Fn(L, Option<u32>) -> Value) -> Answer {
    let mut listing = Listing::default();
    let below = |node, number| describe(&Found { node, number }, value).entry;
    match found.node {
        Node::Leaf(leaf, most) => return of_value(&value(*leaf, found.number), *most),
        Node::Directory(entries) => {
            for (name, child) in *entries {
                listing.add(name, &below(child, found.number));
            }
        }
        Node::Numbered(numbers, each) => {
            for number in numbers() {
                listing.add(&number.to_string(), &below(each, Some(number)));
            }
        }
    }
    listing.end()
}

fn of_value(value: &Value, most: u32) -> Answer {
    let (kind, content) = match value {
        Value::Text(text) => {
            let mut bytes = Vec::from(text.as_bytes());
            bytes.push(0);
            (XEN_HYPFS_TYPE_STRING, bytes)
        }
        Value::Number(number) => (XEN_HYPFS_TYPE_UINT, Vec::from(number.to_le_bytes())),
        Value::Flag(flag) => (XEN_HYPFS_TYPE_BOOL, Vec::from([u8::from(*flag)])),
    };
    Answer {
        entry: entry(kind, content.len(), most),
        content,
    }
}

fn entry(kind: u8, length: usize, most: u32) -> DirEntry {
    DirEntry {
        kind,
        encoding: XEN_HYPFS_ENC_PLAIN,
        pad: 0,
        content_len: length as u32,
        max_write_len: most,
    }
}

/// Where the distance to the next entry stands.
const DISTANCE: usize = size_of::<DirEntry>();

/// A directory's content in the making.
#[derive(Default)]
struct Listing {
    content: Vec<u8>,
    /// Where the last entry begins.
    last: usize,
}

impl Listing {
    fn add(&mut self, name: &str, entry: &DirEntry) {
        self.last = self.content.len();
        let room = (name.len() + 1).next_multiple_of(NAME_STEP);
        let distance = (DISTANCE + size_of::<u16>() + room) as u16;
        let to = &mut self.content;
        to.extend_from_slice(entry.as_bytes());
        to.extend_from_slice(&distance.to_le_bytes());
        to.extend_from_slice(name.as_bytes());
        to.resize(to.len() + room - name.len(), 0);
    }

    /// The directory. Its last entry has none after it.
    fn end(mut self) -> Answer {
        let from = self.last + DISTANCE;
        let distance = self.content.get_mut(from..from + size_of::<u16>());
        if let Some(distance) = distance {
            distance.fill(0);
        }
        Answer {
            entry: entry(XEN_HYPFS_TYPE_DIR, self.content.len(), 0),
            content: self.content,
        }
    }
}
