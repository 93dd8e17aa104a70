//! The tree of names.

use alloc::string::String;
use alloc::vec::Vec;

use vocabulary::{refuse, Errno, Refused};

/// A place in the tree. `L` names a leaf to whom supplies the values.
#[derive(Debug)]
pub enum Node<L: 'static> {
    /// Names, and what they stand for.
    Directory(&'static [(&'static str, Node<L>)]),
    /// The same below each of the numbers in use, which whoever supplies the values tells.
    Numbered(L, &'static Node<L>),
    /// A value, and how many bytes may be written to it: 0 where it can only be read.
    Leaf(L, u32),
}

/// The value of a leaf.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Text, without the zero that ends it.
    Text(String),
    /// A number.
    Number(u32),
    /// Yes or no.
    Flag(bool),
}

/// What is in the leaves, and which numbers there are.
pub trait Source<L> {
    /// The value of a leaf.
    fn value(&self, leaf: L) -> Value;

    /// The numbers in use at a numbered place, rising.
    fn numbers(&self, place: L) -> Vec<u32>;
}

/// The node at a path that begins with a slash and may end with one. ENOENT where there is none.
pub fn find<'n, L: Copy>(
    root: &'n Node<L>,
    path: &str,
    source: &impl Source<L>,
) -> Refused<&'n Node<L>> {
    let path = path.strip_prefix('/').unwrap_or(path);
    let path = path.strip_suffix('/').unwrap_or(path);
    let mut node = root;
    for name in path.split('/').filter(|_| !path.is_empty()) {
        let next = match node {
            Node::Directory(entries) => entries
                .iter()
                .find(|(other, _)| *other == name)
                .map(|(_, next)| next),
            Node::Numbered(place, each) => {
                is_one_of(name, &source.numbers(*place)).then_some(*each)
            }
            Node::Leaf(..) => None,
        };
        match next {
            Some(next) => node = next,
            None => return refuse(Errno::ENOENT, "there is no such entry"),
        }
    }
    Ok(node)
}

/// Whether a name is that of one of these numbers: decimal, nothing before it.
fn is_one_of(name: &str, numbers: &[u32]) -> bool {
    let plain = name == "0" || name.starts_with(|first: char| ('1'..='9').contains(&first));
    plain && name.parse().is_ok_and(|number| numbers.contains(&number))
}
