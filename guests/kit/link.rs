//! The build script of each package of guests: links them by the kit's script, at a fixed address.

fn main() {
    let folder = std::env::var("CARGO_MANIFEST_DIR").unwrap();
    println!("cargo:rerun-if-changed={folder}/../kit/guest.ld");
    println!("cargo:rustc-link-arg-bins=-T{folder}/../kit/guest.ld");
    println!("cargo:rustc-link-arg-bins=--no-pie");
    println!("cargo:rustc-link-arg-bins=-zmax-page-size=4096");
}
