//! Doing the same for many things at once.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// So many at once: each mostly waits for a supervisor.
const AT_ONCE: usize = 64;

/// Does `work` for each item, many side by side, and returns what it returned, in their order.
pub(crate) fn side_by_side<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    if items.len() < 2 {
        return items.iter().map(work).collect();
    }
    let next = AtomicUsize::new(0);
    let results: Vec<Mutex<Option<R>>> = items.iter().map(|_| Mutex::new(None)).collect();
    let worker = || {
        while let Some(index) = Some(next.fetch_add(1, Ordering::Relaxed)).filter(|index| *index < items.len()) {
            let result = work(&items[index]);
            *results[index].lock().expect("no worker panics: a panic ends the process") = Some(result);
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..items.len().min(AT_ONCE) {
            // Where no more threads can be had, fewer do it.
            if std::thread::Builder::new().spawn_scoped(scope, worker).is_err() {
                break;
            }
        }
        worker();
    });
    let results = results.into_iter().map(|result| result.into_inner().ok().flatten());
    results.map(|result| result.expect("every item was worked on")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_the_order_of_the_items() {
        for length in [0, 1, 2, 1_000] {
            let items: Vec<usize> = (0..length).collect();
            assert_eq!(side_by_side(&items, |item| item * 2), items.iter().map(|item| item * 2).collect::<Vec<_>>());
        }
    }

    #[test]
    fn two_items_can_wait_for_each_other() {
        let barrier = std::sync::Barrier::new(2);
        side_by_side(&[(), ()], |()| barrier.wait().is_leader());
    }
}
