//! What a poll event is about.
//!
//! Each registration has a generation of its own: after a close an old event may still arrive, because a child that is
//! just being made holds copies of our descriptors, and must not be taken for news of whoever came next.

/// The source of a poll event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// The signal pipe.
    Signals,
    /// The listening socket.
    Listener,
    /// A stream of an instance: `2 × instance + stream`.
    Output(u32),
    /// A main process that is not our child.
    Adopted(u32),
    /// A connection.
    Client(u32),
    /// The way to the terminal, in the foreground.
    Echo(u32),
}

/// A source and its generation, packed for epoll.
pub(crate) fn pack(source: Source, generation: u32) -> u64 {
    let (kind, value) = match source {
        Source::Signals => (0, 0),
        Source::Listener => (1, 0),
        Source::Output(value) => (2, value),
        Source::Adopted(value) => (3, value),
        Source::Client(value) => (4, value),
        Source::Echo(value) => (5, value),
    };
    (u64::from(generation) << 32) | (kind << 28) | u64::from(value & 0x0fff_ffff)
}

/// The reverse of [`pack`].
pub(crate) fn unpack(key: u64) -> Option<(Source, u32)> {
    let generation = (key >> 32) as u32;
    let value = (key & 0x0fff_ffff) as u32;
    let source = match (key >> 28) & 0xf {
        0 => Source::Signals,
        1 => Source::Listener,
        2 => Source::Output(value),
        3 => Source::Adopted(value),
        4 => Source::Client(value),
        5 => Source::Echo(value),
        _ => return None,
    };
    Some((source, generation))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_reads_back() {
        for source in [
            Source::Signals,
            Source::Listener,
            Source::Output(1999),
            Source::Adopted(7),
            Source::Client(511),
            Source::Echo(1),
        ] {
            assert_eq!(unpack(pack(source, u32::MAX)), Some((source, u32::MAX)));
        }
        assert_eq!(unpack(0xf << 28), None);
    }
}
