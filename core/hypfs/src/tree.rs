//! The tree of names.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use vocabulary::{refuse, Errno, Refused};

/// A place in the tree. `L` names a leaf to whom supplies the values.
#[derive(Debug)]
pub enum Node<L: 'static> {
    /// Names, and what they stand for.
    Directory(&'static [(&'static str, Node<L>)]),
    /// The same below each of the numbers in use, which the function tells, rising.
    Numbered(fn() -> Vec<u32>, &'static Node<L>),
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

/// What a path leads to.
#[derive(Debug)]
pub struct Found<'n, L: 'static> {
    /// The place.
    pub node: &'n Node<L>,
    /// The number that it is below, or is itself.
    pub number: Option<u32>,
}

/// The node at a path that begins with a slash and may end with one. ENOENT where there is none.
pub fn find<'n, L>(root: &'n Node<L>, path: &str) -> Refused<Found<'n, L>> {
    let path = path.strip_prefix('/').unwrap_or(path);
    let path = path.strip_suffix('/').unwrap_or(path);
    let (mut node, mut number) = (root, None);
    for name in path.split('/').filter(|_| !path.is_empty()) {
        let next = match node {
            Node::Directory(entries) => entries
                .iter()
                .find(|(other, _)| *other == name)
                .map(|(_, next)| next),
            Node::Numbered(numbers, each) => {
                number = one_of(name, &numbers());
                number.map(|_| *each)
            }
            Node::Leaf(..) => None,
        };
        match next {
            Some(next) => node = next,
            None => return refuse(Errno::ENOENT, "there is no such entry"),
        }
    }
    Ok(Found { node, number })
}

/// The one of these numbers whose name it is: decimal, nothing before it.
fn one_of(name: &str, numbers: &[u32]) -> Option<u32> {
    let mut numbers = numbers.iter();
    numbers.find(|number| number.to_string() == name).copied()
}
