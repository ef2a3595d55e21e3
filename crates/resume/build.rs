//! Links the program at a fixed address where the workspace's own flags are not in force, as in an installation from a
//! registry: a supervisor then has fewer pages of its own (docs/adr/0003-how-it-is-linked.md).

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let cfg = |name: &str| std::env::var(name).unwrap_or_default();
    let is_static = cfg("CARGO_CFG_TARGET_FEATURE").split(',').any(|feature| feature == "crt-static");
    // With a static C library this flag alone makes a program that crashes.
    if cfg("CARGO_CFG_TARGET_OS") == "linux" && !is_static {
        println!("cargo::rustc-link-arg-bins=-no-pie");
    }
}
