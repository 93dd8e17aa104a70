//! Links the image with `hw/image.ld`, at a fixed address.

fn main() {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../hw/image.ld");
    println!("cargo:rerun-if-changed={script}");
    if std::env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("none") {
        // The target links position-independent programs by default; nobody would relocate this one.
        for argument in ["--no-pie", "-znorelro", "-zmax-page-size=4096"] {
            println!("cargo:rustc-link-arg-bins={argument}");
        }
        println!("cargo:rustc-link-arg-bins=-T{script}");
    }
}
