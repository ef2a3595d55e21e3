//! How much of a log is kept, and what follows from that for the size of its parts.

/// The bounds of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// The most bytes that text and index may take together. Less than 64 KiB is taken for 64 KiB.
    pub max_bytes: u64,
}

impl Default for Retention {
    /// 64 MiB.
    fn default() -> Self {
        Self { max_bytes: 64 << 20 }
    }
}

/// The least that [`Retention::max_bytes`] can mean.
const SMALLEST: u64 = 64 << 10;

/// The sizes that follow from a retention.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    /// All segments together.
    pub(crate) total: u64,
    /// From here on a segment ends before the next record.
    pub(crate) segment: u64,
    /// Here a segment ends even within a record.
    pub(crate) hard: u64,
    /// The longest batch, and the longest part of a line that is held back.
    pub(crate) batch: usize,
}

impl From<Retention> for Limits {
    fn from(retention: Retention) -> Self {
        let total = retention.max_bytes.max(SMALLEST);
        // About an eighth goes at once when the log is full. A record of 1 MiB still fits into a segment of its own,
        // unless that were more than half of the log.
        let segment = (total / 8).clamp(64 << 10, 16 << 20).min(total / 4);
        let batch = usize::try_from((total / 16).min(64 << 10)).unwrap_or(64 << 10);
        Self { total, segment, hard: (segment + (1 << 20)).min(total / 2), batch }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_the_bound_its_parts_fit_into_it() {
        for shift in 0..64 {
            let limits = Limits::from(Retention { max_bytes: 1 << shift });
            assert!(limits.segment <= limits.hard && limits.hard <= limits.total / 2, "{limits:?}");
            assert!(limits.batch as u64 <= limits.segment && limits.batch >= 4096, "{limits:?}");
        }
        assert_eq!(Limits::from(Retention::default()).segment, 8 << 20);
    }
}
