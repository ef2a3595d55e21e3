//! Memory that is given back while it is not needed.

use std::io;
use std::ops::{Deref, DerefMut};
use std::ptr::{self, NonNull};

use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mmap_anonymous, munmap};

/// A buffer of zeroes with pages of its own.
///
/// A buffer from the heap would stay resident once it was used, in every supervisor. This one costs memory only between
/// the first write and [`Scratch::release`].
#[derive(Debug)]
pub struct Scratch {
    start: NonNull<u8>,
    length: usize,
}

// SAFETY: the mapping is owned by this value alone, as the memory of a `Vec` is.
unsafe impl Send for Scratch {}
// SAFETY: through a shared reference it can only be read.
unsafe impl Sync for Scratch {}

impl Scratch {
    /// A buffer of `length` bytes, which must not be 0. No memory is taken yet.
    pub fn new(length: usize) -> io::Result<Self> {
        // SAFETY: without MAP_FIXED the kernel chooses an address that nothing else uses.
        let start =
            unsafe { mmap_anonymous(ptr::null_mut(), length, ProtFlags::READ | ProtFlags::WRITE, MapFlags::PRIVATE)? };
        let start = NonNull::new(start.cast()).expect("the kernel never maps address 0 unasked");
        Ok(Self { start, length })
    }

    /// Gives the pages back to the kernel (madvise(2), `MADV_DONTNEED`). The contents become zeroes.
    pub fn release(&mut self) {
        // SAFETY: the range is our own mapping, and the exclusive borrow says that nobody holds a reference into it.
        // It cannot fail on a plain private mapping, and would only leave the pages where they are.
        let _ = unsafe { madvise(self.start.as_ptr().cast(), self.length, Advice::LinuxDontNeed) };
    }
}

impl Deref for Scratch {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: the mapping is `length` readable bytes, always initialised, and lives as long as `self`.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.length) }
    }
}

impl DerefMut for Scratch {
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: as above, and writable; the exclusive borrow makes this the only reference.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.length) }
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // SAFETY: this is the mapping made in `new`, and no reference into it outlives `self`.
        let _ = unsafe { munmap(self.start.as_ptr().cast(), self.length) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_zeroes_again_after_a_release() {
        let mut scratch = Scratch::new(64 * 1024).unwrap();
        assert_eq!(scratch.len(), 64 * 1024);
        scratch.fill(7);
        assert!(scratch.iter().all(|&byte| byte == 7));
        scratch.release();
        assert!(scratch.iter().all(|&byte| byte == 0));
        scratch[65_535] = 1;
        assert_eq!(scratch.last(), Some(&1));
    }

    #[test]
    fn an_empty_one_is_refused() {
        assert_eq!(Scratch::new(0).unwrap_err().raw_os_error(), Some(libc::EINVAL));
    }
}
