//! The macros that declare the interface, and the tables they leave behind for the layout test.
//!
//! A structure or constant declared with them is compared with the C headers by `tests/layout.rs`
//! without being listed a second time.

/// What one field looks like from outside.
#[derive(Clone, Copy, Debug)]
pub struct FieldLayout {
    /// The C expression after the dot, such as `u.interdomain.dom`.
    pub path: &'static str,
    /// Offset in bytes from the structure's start.
    pub offset: usize,
    /// Size in bytes.
    pub size: usize,
}

/// What one structure looks like from outside.
#[derive(Clone, Copy, Debug)]
pub struct StructLayout {
    /// The C type, such as `struct mmu_update`.
    pub c_type: &'static str,
    /// Size in bytes.
    pub size: usize,
    /// Alignment in bytes.
    pub align: usize,
    /// Every field, in order. Our own explicit padding is among them, named `_padding…`.
    pub fields: &'static [FieldLayout],
}

/// One named number of the interface.
#[derive(Clone, Copy, Debug)]
pub struct Constant {
    /// The header's name of it.
    pub name: &'static str,
    /// Its value; negative ones as two's complement of 64 bits.
    pub value: u64,
}

/// Everything one module of this crate declares.
#[derive(Clone, Copy, Debug)]
pub struct Header {
    /// The public header it describes, relative to the include folder `xen/`.
    pub file: &'static str,
    /// Its structures.
    pub structures: &'static [StructLayout],
    /// Its constants.
    pub constants: &'static [Constant],
}

/// Declares plain-old-data structures of the interface and `STRUCTURES`, the table of their layouts.
///
/// `field: type` stands for the C field of the same name; `field: type = "a.b"` for the C path `a.b`;
/// a field whose name begins with `_padding` makes C's implicit padding explicit.
macro_rules! structures {
    (@path $field:ident) => { stringify!($field) };
    (@path $field:ident $path:literal) => { $path };
    ($(
        $(#[$meta:meta])*
        struct $name:ident = $c_type:literal {
            $( $(#[$field_meta:meta])* $field:ident : $type:ty $(= $path:literal)? ),* $(,)?
        }
    )*) => {
        $(
            $(#[$meta])*
            #[derive(
                Clone, Copy, Debug, PartialEq, Eq,
                zerocopy::FromBytes, zerocopy::IntoBytes, zerocopy::Immutable, zerocopy::KnownLayout,
            )]
            #[repr(C)]
            pub struct $name { $( $(#[$field_meta])* pub $field: $type ),* }
        )*

        /// The layouts of this module's structures, for the test against the C headers.
        pub const STRUCTURES: &[$crate::layout::StructLayout] = &[
            $( $crate::layout::StructLayout {
                c_type: $c_type,
                size: core::mem::size_of::<$name>(),
                align: core::mem::align_of::<$name>(),
                fields: &[ $( $crate::layout::FieldLayout {
                    path: structures!(@path $field $($path)?),
                    offset: core::mem::offset_of!($name, $field),
                    size: core::mem::size_of::<$type>(),
                } ),* ],
            } ),*
        ];
    };
}

/// Declares constants of the interface under the header's own names, in groups that share a type and
/// the first line of their documentation, and `CONSTANTS`, the table of their values.
macro_rules! constants {
    ($(
        $type:ty, $group:literal {
            $( $(#[$meta:meta])* $name:ident = $value:expr ),* $(,)?
        }
    )*) => {
        $($(
            #[doc = $group]
            ///
            $(#[$meta])*
            #[allow(non_upper_case_globals, reason = "the header's own spelling")]
            pub const $name: $type = $value;
        )*)*

        /// This module's constants, for the test against the C headers.
        pub const CONSTANTS: &[$crate::layout::Constant] = &[
            $($( $crate::layout::Constant {
                name: stringify!($name),
                value: $name as i128 as u64,
            } ),*,)*
        ];
    };
}
