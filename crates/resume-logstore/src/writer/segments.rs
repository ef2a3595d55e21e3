//! The writer and its segments: when one ends and the next begins, which are deleted, and what strangers do to them.

use std::io;

use super::{CHECK_EVERY, Closed, Writer};
use crate::Moment;
use crate::folder::{Folder, LIVE, index_name, text_name};
use crate::format::{Entry, Header, Kind};
use crate::live::Live;
use crate::restore::restore;

impl Writer {
    /// Closes the live segment and begins the next.
    pub(super) fn rotate(&mut self, now: Moment) {
        if let Some(live) = &self.live {
            let number = live.number;
            if live.has_name()
                && let Err(error) = self.folder.number_live(number)
            {
                // It cannot be closed, so it goes on.
                self.fail(&error);
                return;
            }
            self.live = None;
            self.close(number);
        }
        self.begin(now);
    }

    fn close(&mut self, number: u64) {
        let bytes = self.folder.size(&index_name(number)) + self.folder.size(&text_name(number));
        self.closed.push_back(Closed { number, bytes });
        self.closed_bytes += bytes;
    }

    /// Goes on with the live segment that is there, or begins one.
    pub(super) fn begin(&mut self, now: Moment) {
        if !self.restored {
            match self.restore() {
                Ok(()) if self.live.is_some() => {
                    let runs = self.known();
                    self.put(now, &Entry { micros: now.wall_micros, kind: Kind::Opened { runs } }, [&[], &[]]);
                    return;
                }
                Ok(()) => {}
                Err(error) => return self.fail(&error),
            }
        }
        let begun = self.set_live_text_aside().and_then(|()| {
            let header =
                Header { segment: self.next_segment, first_record: self.next_record, base_micros: now.wall_micros };
            Live::begin(&self.folder, &header, self.known())
        });
        match begun {
            Ok(live) => {
                self.next_segment = live.number + 1;
                self.live = Some(live);
            }
            Err(error) => {
                // A number that is taken, by whomever, is passed over.
                self.next_segment += u64::from(error.kind() == io::ErrorKind::AlreadyExists);
                self.fail(&error);
            }
        }
    }

    fn restore(&mut self) -> io::Result<()> {
        let restored = restore(&self.folder)?;
        self.live = restored.live;
        self.closed_bytes = restored.closed.iter().map(|closed| closed.bytes).sum();
        self.closed = restored.closed;
        self.next_segment = restored.next_segment;
        self.next_record = restored.next_record;
        for (instance, run) in restored.runs {
            self.know_run(instance, run);
        }
        for source in restored.sources {
            let stream = (source.source.instance, source.source.stream);
            // A stream that has lost output since then is not within that line any more.
            if self.sources.iter().all(|known| (known.source.instance, known.source.stream) != stream) {
                self.sources.push(source);
            }
        }
        self.restored = true;
        Ok(())
    }

    /// A live text that is in the way, because somebody put it there or a crash left it, becomes a segment of its own.
    fn set_live_text_aside(&mut self) -> io::Result<()> {
        if self.folder.exists(LIVE) {
            let number = self.next_segment;
            self.folder.number_live(number)?;
            self.next_segment += 1;
            self.close(number);
        }
        Ok(())
    }

    /// Deletes the oldest segments until so many bytes more fit.
    pub(super) fn make_room(&mut self, bytes: u64) {
        while self.disk_bytes() + bytes > self.limits.total {
            let Some(oldest) = self.closed.pop_front() else { return };
            self.forget(oldest);
        }
    }

    pub(super) fn forget(&mut self, closed: Closed) {
        self.closed_bytes -= closed.bytes;
        if let Err(error) = self.folder.remove(closed.number) {
            self.fail(&error);
        }
    }

    /// Looks now and then whether somebody else has deleted or changed the files, and if so begins anew beside them.
    pub(super) fn check_files(&mut self, now: Moment) {
        if now.boottime.saturating_sub(self.checked_at) < CHECK_EVERY {
            return;
        }
        self.checked_at = now.boottime;
        let Some(live) = &self.live else { return };
        if live.is_intact().unwrap_or(true) {
            return;
        }
        if let Err(error) = self.find_folder_again() {
            self.fail(&error);
            return;
        }
        self.rotate(now);
        let text = "the files of the log were changed by somebody else; it goes on in new ones".to_owned();
        self.add(now, Kind::Note { about: None, text });
    }

    /// If the folder was deleted or moved away, goes on with the one that has its name now.
    fn find_folder_again(&mut self) -> io::Result<()> {
        let folder = Folder::create(&self.path)?;
        if folder.identity()? != self.folder.identity()? {
            self.next_segment = self.next_segment.max(folder.list()?.last() + 1);
            self.folder = folder;
            self.live = None;
            self.closed.clear();
            self.closed_bytes = 0;
        }
        Ok(())
    }
}
