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

/// The node at a path that begins with a slash and may end with one. ENOENT where there is none.
pub fn find<'n, L>(root: &'n Node<L>, path: &str) -> Refused<&'n Node<L>> {
    let path = path.strip_prefix('/').unwrap_or(path);
    let path = path.strip_suffix('/').unwrap_or(path);
    let mut node = root;
    for name in path.split('/').filter(|_| !path.is_empty()) {
        let next = match node {
            Node::Directory(entries) => entries
                .iter()
                .find(|(other, _)| *other == name)
                .map(|(_, next)| next),
            Node::Numbered(numbers, each) => is_one_of(name, &numbers()).then_some(*each),
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
    numbers.iter().any(|number| number.to_string() == name)
}
