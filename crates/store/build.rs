//! Tells Cargo that the migrations are compiled in: a new file alone would not be noticed.

fn main() {
    println!("cargo:rerun-if-changed=migrations");
}
