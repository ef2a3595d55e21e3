//! The connections: who may come in, whose turn it is, who is sent away.

use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use resume_core::layout;
use resume_sys::poll::{self, Interest};
use resume_sys::{account, clock, socket};

use crate::client::Client;
use crate::event_loop::Supervisor;
use crate::key::{self, Source};
use crate::waiting::Waiting;

/// The most connections at once. Beyond it, the one that was idle longest is closed.
const MAX_CLIENTS: usize = 400;

/// How many are taken in before others have their turn.
const ACCEPTS_A_TURN: usize = 16;
/// How long nobody is taken in after that failed.
const LISTEN_AGAIN_AFTER: Duration = Duration::from_secs(1);

/// The connections.
#[derive(Default)]
pub(crate) struct Clients {
    slots: Vec<Option<Client>>,
    turn: u64,
}

impl Clients {
    /// Whether nobody is connected.
    pub(crate) fn is_empty(&self) -> bool {
        self.slots.iter().all(Option::is_none)
    }

    /// Whether a request has come: the first turn is that of the first connection.
    pub(crate) fn have_asked(&self) -> bool {
        self.turn > 1
    }

    /// Whether somebody waits for events.
    pub(crate) fn have_subscribers(&self) -> bool {
        self.slots.iter().flatten().any(|client| client.waiting == Some(Waiting::Events))
    }

    /// The client in a slot.
    pub(crate) fn get(&mut self, slot: usize) -> Option<&mut Client> {
        self.slots.get_mut(slot)?.as_mut()
    }

    /// How many slots there are, empty ones among them.
    pub(crate) fn slots(&self) -> usize {
        self.slots.len()
    }

    /// A number that grows with every request.
    pub(crate) fn next_turn(&mut self) -> u64 {
        self.turn += 1;
        self.turn
    }

    fn free_slot(&mut self) -> Option<usize> {
        if let Some(free) = self.slots.iter().position(Option::is_none) {
            return Some(free);
        }
        if self.slots.len() < MAX_CLIENTS {
            self.slots.push(None);
            return Some(self.slots.len() - 1);
        }
        let idle = self.slots.iter().enumerate().filter_map(|(slot, client)| {
            let client = client.as_ref()?;
            // Who waits for events goes after those who wait for nothing.
            client.is_idle().then_some((client.waiting.is_some(), client.turn, slot))
        });
        idle.min().map(|(_, _, slot)| slot)
    }
}

impl Supervisor {
    /// Listens, or listens again.
    pub(crate) fn listen(&mut self) {
        self.listen_at = None;
        let added = self.poller.add(self.listener.as_fd(), key::pack(Source::Listener, 0), Interest::READ);
        if let Err(error) = added
            && error.kind() != std::io::ErrorKind::AlreadyExists
        {
            self.warn(format!("waiting for clients: {error}"));
            self.listen_at = Some(clock::boottime() + LISTEN_AGAIN_AFTER);
        }
    }

    /// Makes the socket again if somebody has deleted it: who has a connection keeps it, who comes must find us.
    pub(crate) fn look_for_socket(&mut self) {
        if self.deleted || self.path.join(layout::SOCKET).symlink_metadata().is_ok() {
            return;
        }
        match socket::listen(self.dir.as_fd(), layout::SOCKET) {
            Ok(listener) => {
                let _ = self.poller.remove(self.listener.as_fd());
                self.listener = listener;
                self.listen();
            }
            // Without the directory there is nowhere to make it.
            Err(_) if !self.path.exists() => (),
            Err(error) => {
                self.warn(format!("making `{}` again: {error}", layout::SOCKET));
                self.listen_at = Some(clock::boottime() + LISTEN_AGAIN_AFTER);
            }
        }
    }

    /// Takes in whoever knocks and may come in: the owner and root.
    pub(crate) fn accept(&mut self) {
        for _ in 0..ACCEPTS_A_TURN {
            match socket::accept(self.listener.as_fd()) {
                Ok(Some(connection)) => {
                    let uid = socket::peer(connection.as_fd()).map(|peer| peer.uid);
                    if uid.is_ok_and(|uid| uid == 0 || uid == account::effective_uid()) {
                        self.add_client(connection);
                    }
                }
                Ok(None) => return,
                Err(error) => {
                    // Most likely there are too many descriptors. Who knocks stays there; asking again at once would
                    // be a busy loop.
                    self.warn(format!("accepting a connection: {error}"));
                    let _ = self.poller.remove(self.listener.as_fd());
                    self.listen_at = Some(clock::boottime() + LISTEN_AGAIN_AFTER);
                    return;
                }
            }
        }
    }

    /// Serves a connection from now on.
    pub(crate) fn add_client(&mut self, connection: OwnedFd) {
        let generation = self.next_generation();
        let Some(slot) = self.clients.free_slot() else { return };
        self.close_client(slot);
        let source = Source::Client(u32::try_from(slot).unwrap_or(0));
        if self.poller.add(connection.as_fd(), key::pack(source, generation), Interest::READ).is_ok() {
            let turn = self.clients.next_turn();
            self.clients.slots[slot] = Some(Client::new(connection, generation, turn));
        }
    }

    fn close_client(&mut self, slot: usize) {
        if let Some(client) = self.clients.slots.get_mut(slot).and_then(Option::take) {
            let _ = self.poller.remove(client.as_fd());
        }
    }

    pub(crate) fn client_event(&mut self, slot: usize, generation: u32, event: poll::Event) {
        let Some(client) = self.clients.get(slot).filter(|client| client.generation == generation) else { return };
        if event.writable {
            client.flush();
        }
        if event.hangup && !client.is_read() {
            // Both ways are closed: nobody is there to be answered, and it would be told again and again.
            client.hang_up();
        } else if event.readable {
            client.receive(&mut self.scratch);
        }
        self.serve(slot);
    }

    /// Answers the requests of one client until one must wait, then polls it for what can come next.
    pub(crate) fn serve(&mut self, slot: usize) {
        while let Some(client) = self.clients.get(slot) {
            match client.next_request() {
                Ok(Some(frame)) => self.request(slot, &frame),
                Ok(None) => break,
                Err(_) => client.hang_up(),
            }
        }
        let Some(client) = self.clients.get(slot) else { return };
        if client.is_done() {
            self.close_client(slot);
            return;
        }
        let source = Source::Client(u32::try_from(slot).unwrap_or(0));
        let (key, interest) = (key::pack(source, client.generation), client.interest());
        let client = self.clients.slots[slot].as_ref().expect("it was there a moment ago");
        if self.poller.modify(client.as_fd(), key, interest).is_err() {
            self.close_client(slot);
        }
    }
}
