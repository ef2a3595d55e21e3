//! Takes what comes on its standard input into a log, as a supervisor does, for measuring against `cat > file`:
//!
//! ```text
//! yes 0123…89 | head -c 2G | ingest /tmp/log [MAX_BYTES]
//! ```

use std::env;
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::path::Path;

use resume_core::layout::Stream;
use resume_logstore::{Moment, Retention, Source, Writer};
use resume_sys::fifo;

fn main() -> io::Result<()> {
    let mut arguments = env::args().skip(1);
    let dir = arguments.next().ok_or_else(|| io::Error::other("usage: ingest DIR [MAX_BYTES]"))?;
    let max_bytes = arguments.next().and_then(|text| text.parse().ok()).unwrap_or(1 << 40);
    let mut writer = Writer::open(Path::new(&dir), Retention { max_bytes }, Moment::now()).map_err(io::Error::other)?;
    let source = Source { instance: 0, run: 1, stream: Stream::Stdout };
    let mut stdin = io::stdin().lock();
    // A supervisor does so while batches come thick and fast. Where it is refused the pipe stays as it is.
    drop(fifo::set_pipe_size(stdin.as_fd(), 1 << 20));
    let mut buffer = vec![0; 64 << 10];
    loop {
        match stdin.read(&mut buffer)? {
            0 => break,
            read => writer.append(Moment::now(), source, &buffer[..read]),
        }
    }
    writer.end_of_run(Moment::now(), 0, 1);
    eprintln!("{:?}, {} bytes on disk", writer.stats(), writer.disk_bytes());
    Ok(())
}
