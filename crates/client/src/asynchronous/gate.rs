//! A gate that lets a number of futures in; others wait in their order.

use std::{
    collections::VecDeque,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, Waker},
};

/// The gate.
#[derive(Debug)]
pub struct Gate {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    free: usize,
    next: u64,
    waiting: VecDeque<(u64, Waker)>,
}

impl Gate {
    /// A gate for so many.
    pub fn new(places: usize) -> Arc<Self> {
        Arc::new(Self { state: Mutex::new(State { free: places, next: 0, waiting: VecDeque::new() }) })
    }

    /// Waits for a place.
    pub fn enter(self: &Arc<Self>) -> Enter {
        Enter { gate: Arc::clone(self), number: None, is_in: false }
    }

    fn wake_one(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let first = if state.free > 0 { state.waiting.pop_front() } else { None };
        drop(state);
        if let Some((_, waker)) = first {
            waker.wake();
        }
    }
}

/// A future that is at the gate.
pub struct Enter {
    gate: Arc<Gate>,
    /// Its number in the queue, once it waited.
    number: Option<u64>,
    is_in: bool,
}

impl Future for Enter {
    type Output = Permit;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Permit> {
        let gate = Arc::clone(&self.gate);
        let mut state = gate.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.free > 0 {
            state.free -= 1;
            state.waiting.retain(|(number, _)| Some(*number) != self.number);
            self.is_in = true;
            drop(state);
            return Poll::Ready(Permit(gate));
        }
        let number = *self.number.get_or_insert_with(|| {
            state.next += 1;
            state.next
        });
        let waker = context.waker().clone();
        match state.waiting.iter_mut().find(|(other, _)| *other == number) {
            Some(entry) => entry.1 = waker,
            None => state.waiting.push_back((number, waker)),
        }
        Poll::Pending
    }
}

impl Drop for Enter {
    fn drop(&mut self) {
        let Some(number) = self.number.filter(|_| !self.is_in) else { return };
        let mut state = self.gate.state.lock().unwrap_or_else(PoisonError::into_inner);
        let before = state.waiting.len();
        state.waiting.retain(|(other, _)| *other != number);
        let was_woken = state.waiting.len() == before;
        drop(state);
        // It was called and does not come: the next one is.
        if was_woken {
            self.gate.wake_one();
        }
    }
}

/// A place behind the gate.
#[derive(Debug)]
pub struct Permit(Arc<Gate>);

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner).free += 1;
        self.0.wake_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dropped_waiter_passes_its_turn_on() {
        let gate = Gate::new(1);
        let mut context = Context::from_waker(Waker::noop());
        let (mut first, mut second, mut third) = (gate.enter(), gate.enter(), gate.enter());
        let Poll::Ready(permit) = Pin::new(&mut first).poll(&mut context) else { unreachable!("the gate is free") };
        assert!(Pin::new(&mut second).poll(&mut context).is_pending());
        assert!(Pin::new(&mut third).poll(&mut context).is_pending());
        drop(permit);
        assert_eq!(gate.state.lock().unwrap().waiting.len(), 1, "the second was called");
        drop(second);
        assert!(gate.state.lock().unwrap().waiting.is_empty(), "the third was called in its place");
        assert!(Pin::new(&mut third).poll(&mut context).is_ready());
    }
}
