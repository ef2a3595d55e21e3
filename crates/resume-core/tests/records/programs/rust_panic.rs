use std::thread;

fn check(list: &[u32], index: usize) -> u32 {
    list[index]
}

fn main() {
    eprintln!("starting");
    let _ = thread::Builder::new().name("worker".into()).spawn(|| check(&[1], 3)).unwrap().join();
    eprintln!("a worker died");
    let _ = thread::spawn(|| assert_eq!(1 + 1, 3, "arithmetic is off")).join();
    eprintln!("another worker died");
    check(&[1, 2, 3], 99);
}
