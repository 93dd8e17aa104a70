//! Paths, the tree, and listings as a tool reads them.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::expect_used
)]

use proptest::prelude::*;
use vocabulary::Errno;
use xen_abi::hypfs::*;

use crate::*;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Leaf {
    Major,
    Extra,
    Level,
    Flag,
}

static TREE: Node<Leaf> = Node::Directory(&[
    (
        "buildinfo",
        Node::Directory(&[(
            "version",
            Node::Directory(&[
                ("extra", Node::Leaf(Leaf::Extra, 0)),
                ("major", Node::Leaf(Leaf::Major, 0)),
            ]),
        )]),
    ),
    (
        "params",
        Node::Directory(&[
            ("guest_loglvl", Node::Leaf(Leaf::Level, 16)),
            ("flag", Node::Leaf(Leaf::Flag, 1)),
        ]),
    ),
    ("empty", Node::Directory(&[])),
    (
        "pools",
        Node::Numbered(
            || vec![0, 7, 120],
            &Node::Directory(&[("flag", Node::Leaf(Leaf::Flag, 1))]),
        ),
    ),
]);

fn value(leaf: Leaf, number: Option<u32>) -> Value {
    match leaf {
        Leaf::Major => Value::Number(4),
        Leaf::Extra => Value::Text(".7".into()),
        Leaf::Level => Value::Text("none/warning".into()),
        Leaf::Flag => Value::Flag(number != Some(120)),
    }
}

/// A listing as the tools' library takes it apart: name and description.
fn parse(list: &[u8]) -> Vec<(String, u8, u32, u32)> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < list.len() {
        let word =
            |from: usize| u32::from_le_bytes(list[at + from..at + from + 4].try_into().unwrap());
        let next = usize::from(u16::from_le_bytes(
            list[at + 12..at + 14].try_into().unwrap(),
        ));
        let name = &list[at + 14..];
        let end = name.iter().position(|&byte| byte == 0).unwrap();
        let name = String::from_utf8(name[..end].to_vec()).unwrap();
        found.push((name, list[at], word(4), word(8)));
        if next == 0 {
            break;
        }
        at += next;
    }
    found
}

fn read(path: &str) -> Answer {
    describe(&find(&TREE, path).unwrap(), &value)
}

#[test]
fn a_tool_reads_the_tree() {
    let root = read("/");
    assert_eq!(root.entry.kind, XEN_HYPFS_TYPE_DIR);
    assert_eq!(root.entry.content_len as usize, root.content.len());
    let names: Vec<_> = parse(&root.content)
        .into_iter()
        .map(|(name, ..)| name)
        .collect();
    assert_eq!(names, ["buildinfo", "params", "empty", "pools"]);
    assert_eq!(
        parse(&read("/params/").content),
        [
            ("guest_loglvl".into(), XEN_HYPFS_TYPE_STRING, 13, 16),
            ("flag".into(), XEN_HYPFS_TYPE_BOOL, 1, 1)
        ]
    );
    // Debian's Xen says 66 for its three entries, of which these are two.
    assert_eq!(read("/buildinfo/version").entry.content_len, 22 + 22);
    assert_eq!(read("/empty").content, []);
}

#[test]
fn leaves_hold_their_values() {
    assert_eq!(read("/buildinfo/version/major").content, [4, 0, 0, 0]);
    assert_eq!(read("/buildinfo/version/extra").content, b".7\0");
    let level = read("/params/guest_loglvl");
    assert_eq!(level.content, b"none/warning\0");
    assert_eq!(level.entry.max_write_len, 16);
    assert_eq!(read("/params/flag").content, [1]);
}

#[test]
fn each_number_in_use_has_a_directory() {
    let list = parse(&read("/pools").content);
    let names: Vec<_> = list.iter().map(|entry| entry.0.as_str()).collect();
    assert_eq!(names, ["0", "7", "120"]);
    assert!(list.iter().all(|entry| entry.1 == XEN_HYPFS_TYPE_DIR));
    assert_eq!(parse(&read("/pools/120").content)[0].0, "flag");
    assert_eq!(read("/pools/7/flag").content, [1]);
    assert_eq!(read("/pools/120/flag").content, [0]);
}

#[test]
fn what_is_not_there_is_not_found() {
    for path in [
        "/nosuch",
        "/buildinfo//version",
        "/params/flag/x",
        "/x/",
        "/pools/1",
        "/pools/07",
        "/pools/+7",
        "/pools/x",
        "/pools/4294967296",
    ] {
        let refusal = find(&TREE, path).unwrap_err();
        assert_eq!(refusal.errno, Errno::ENOENT, "{path}");
    }
}

#[test]
fn paths_that_are_none() {
    let long = [b'/'; MOST_PATH + 1];
    let wrong: [&[u8]; 7] = [b"", b"\0", b"x\0", b"/x", b"/x\0y\0", b"/\xff\0", &long];
    for bytes in wrong {
        assert_eq!(path_of(bytes).unwrap_err().errno, Errno::EINVAL);
    }
    assert_eq!(path_of(b"/\0").unwrap(), "/");
    assert_eq!(path_of(b"/a/b\0").unwrap(), "/a/b");
}

proptest! {
    #[test]
    fn any_bytes_are_a_path_or_not(bytes in prop::collection::vec(prop_oneof![Just(b'/'), Just(0u8), Just(b'p'), any::<u8>()], 0..40)) {
        if let Ok(path) = path_of(&bytes) {
            prop_assert!(path.starts_with('/') && path.len() + 1 == bytes.len());
            let _ = find(&TREE, path).map(|found| describe(&found, &value));
        }
    }
}
