//! Prints the coverage page (`cargo run -p calls --example coverage`).

fn main() {
    let mut page = String::new();
    // Writing to a string cannot fail.
    let _ = calls::write_markdown(&mut page);
    print!("{page}");
}
