//! The runs of a service, put together from its history.

use std::collections::HashMap;

use resume_core::event_record::What;
use resume_core::status::StateWord;
use resume_core::time::Timestamp;

use crate::history::StoredEvent;

/// One run, as far as the history still knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// The instance.
    pub instance: u32,
    /// Its number among the instance's, from 1.
    pub number: u64,
    /// The main process; none if there was none, or if that is forgotten.
    pub pid: Option<i32>,
    /// When it began.
    pub began_at: Option<Timestamp>,
    /// How it ended; none if it has not, or if nobody saw it.
    pub end: Option<RunEnd>,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunEnd {
    /// When.
    pub at: Timestamp,
    /// The exit code, if it left with one.
    pub code: Option<u8>,
    /// The signal that ended it, if one did.
    pub signal: Option<String>,
    /// The short word of the contract.
    pub reason: String,
    /// How long the run lasted, in milliseconds.
    pub uptime_ms: u64,
    /// The largest resident size that its main process, or one that it waited for, ever had.
    pub peak_memory_bytes: Option<u64>,
    /// Why it could not be spawned, if it could not.
    pub detail: Option<String>,
}

/// A run, and the number of the last event that told of it.
struct Told {
    seq: u64,
    run: Run,
}

/// The runs that these events tell of, in the order in which they ended, those that have not last.
pub fn of(events: &[StoredEvent]) -> Vec<Run> {
    let mut told: Vec<Told> = Vec::new();
    for event in events {
        tell(&mut told, event);
    }
    let mut last: HashMap<u32, u64> = HashMap::new();
    for Told { seq, run } in &told {
        let last = last.entry(run.instance).or_default();
        *last = (*last).max(*seq);
    }
    // One that nobody saw the end of had ended when the next began.
    let keys: Vec<(bool, u64)> =
        told.iter().map(|it| (it.run.end.is_none() && last.get(&it.run.instance) == Some(&it.seq), it.seq)).collect();
    let mut runs: Vec<((bool, u64), Run)> = keys.into_iter().zip(told.into_iter().map(|told| told.run)).collect();
    runs.sort_by_key(|(key, _)| *key);
    runs.into_iter().map(|(_, run)| run).collect()
}

fn tell(told: &mut Vec<Told>, StoredEvent { record, .. }: &StoredEvent) {
    let seq = record.seq;
    let same = |told: &&mut Told| (told.run.instance, told.run.number) == (record.instance, record.run);
    // After its files were lost a service counts anew: then the same number means another run.
    let open = told.iter_mut().rev().find(same).filter(|told| told.run.end.is_none());
    let unknown = Run { instance: record.instance, number: record.run, pid: None, began_at: None, end: None };
    match &record.what {
        What::State { state: StateWord::Starting | StateWord::Running, pid: Some(pid), .. } => match open {
            Some(open) => (open.seq, open.run.pid) = (seq, Some(*pid)),
            None => told.push(Told { seq, run: Run { pid: Some(*pid), began_at: Some(record.time), ..unknown } }),
        },
        What::Ended { code, signal, reason, uptime_ms, peak_memory_bytes, detail } => {
            let end = Some(RunEnd {
                at: record.time,
                code: *code,
                signal: signal.clone(),
                reason: reason.clone(),
                uptime_ms: *uptime_ms,
                peak_memory_bytes: *peak_memory_bytes,
                detail: detail.clone(),
            });
            if let Some(open) = open {
                (open.seq, open.run.end) = (seq, end);
            } else {
                // Its beginning is forgotten, but not how long it lasted.
                let began = record.time.as_micros().saturating_sub(uptime_ms.saturating_mul(1000));
                told.push(Told { seq, run: Run { began_at: Some(Timestamp::from_micros(began)), end, ..unknown } });
            }
        }
        What::State {
            state:
                StateWord::Starting
                | StateWord::Running
                | StateWord::Failed
                | StateWord::Lost
                | StateWord::Backoff
                | StateWord::Stopping
                | StateWord::Exited
                | StateWord::Stopped,
            ..
        }
        | What::Unknown => (),
    }
}

#[cfg(test)]
mod tests {
    use resume_core::event_record::{EventRecord, VERSION};
    use resume_core::name::ServiceName;

    use super::*;

    fn event(seq: u64, instance: u32, run: u64, what: What) -> StoredEvent {
        let (service, time) = (ServiceName::new("web").unwrap(), Timestamp::from_micros(seq * 1_000_000));
        let record = EventRecord { version: VERSION, seq, time, service, instance, run, what };
        StoredEvent { record, line: Vec::new() }
    }

    fn starting(seq: u64, instance: u32, run: u64) -> StoredEvent {
        let pid = i32::try_from(seq).ok();
        event(seq, instance, run, What::State { state: StateWord::Starting, pid, detail: None })
    }

    fn ended(seq: u64, instance: u32, run: u64) -> StoredEvent {
        let what = What::Ended {
            code: Some(1),
            signal: None,
            reason: "exit".into(),
            uptime_ms: 500,
            peak_memory_bytes: None,
            detail: None,
        };
        event(seq, instance, run, what)
    }

    /// Instance, number, beginning and end in milliseconds.
    #[track_caller]
    fn check(events: &[StoredEvent], expected: &[(u32, u64, Option<u64>, Option<u64>)]) {
        let millis = |time: Timestamp| time.as_micros() / 1000;
        let runs = of(events);
        let found = runs.iter().map(|run| {
            (run.instance, run.number, run.began_at.map(millis), run.end.as_ref().map(|end| millis(end.at)))
        });
        assert_eq!(found.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_run_has_its_beginning_and_its_end() {
        let running = event(2, 0, 1, What::State { state: StateWord::Running, pid: Some(1), detail: None });
        let stopped = event(4, 0, 1, What::State { state: StateWord::Stopped, pid: None, detail: None });
        check(&[starting(1, 0, 1), running, ended(3, 0, 1), stopped], &[(0, 1, Some(1_000), Some(3_000))]);
    }

    #[test]
    fn what_is_forgotten_of_a_run_is_reckoned_or_left_out() {
        check(&[ended(3, 0, 7)], &[(0, 7, Some(2_500), Some(3_000))]);
        check(&[starting(1, 0, 7), starting(2, 0, 8)], &[(0, 7, Some(1_000), None), (0, 8, Some(2_000), None)]);
        check(&[event(1, 0, 0, What::Unknown)], &[]);
    }

    #[test]
    fn runs_come_in_the_order_of_their_ends_and_the_present_one_last() {
        check(
            &[
                starting(1, 0, 1),
                starting(2, 1, 1),
                ended(3, 1, 1),
                ended(4, 0, 1),
                starting(5, 1, 2),
                starting(6, 0, 2),
            ],
            &[
                (1, 1, Some(2_000), Some(3_000)),
                (0, 1, Some(1_000), Some(4_000)),
                (1, 2, Some(5_000), None),
                (0, 2, Some(6_000), None),
            ],
        );
    }

    #[test]
    fn a_number_that_is_counted_anew_is_another_run() {
        check(
            &[starting(1, 0, 1), ended(2, 0, 1), starting(3, 0, 1), ended(4, 0, 1)],
            &[(0, 1, Some(1_000), Some(2_000)), (0, 1, Some(3_000), Some(4_000))],
        );
    }
}
