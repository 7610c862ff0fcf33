//! Which of many sources comes next.

/// A tournament tree: leaves meet in pairs, each inner node keeps the loser, the root the winner. A newcomer loses only to what is
/// before it, so that among equals it stays in front.
#[derive(Debug)]
pub(crate) struct Tournament {
    /// Node 0 is the winner, 1 up to the number of leaves the losers; a leaf is at its number plus the number of leaves.
    nodes: Vec<Option<usize>>,
    leaves: usize,
}

impl Tournament {
    /// All leaves play.
    pub(crate) fn new(leaves: usize, is_before: impl Fn(usize, usize) -> bool) -> Self {
        let mut tree = Self { nodes: vec![None; leaves.max(1)], leaves };
        for leaf in (0..leaves).rev() {
            tree.play(leaf, &is_before);
        }
        tree
    }

    /// Lets a leaf that has changed play its way up; `is_before` compares leaves.
    pub(crate) fn play(&mut self, leaf: usize, is_before: impl Fn(usize, usize) -> bool) {
        let mut winner = leaf;
        let mut node = leaf.midpoint(self.leaves);
        while node > 0 {
            match self.nodes[node] {
                // The first to come while the tree is made waits for its opponent.
                None => {
                    self.nodes[node] = Some(winner);
                    return;
                }
                Some(other) if is_before(other, winner) => {
                    self.nodes[node] = Some(winner);
                    winner = other;
                }
                Some(_) => {}
            }
            node /= 2;
        }
        self.nodes[0] = Some(winner);
    }

    /// The leaf in front.
    pub(crate) fn winner(&self) -> Option<usize> {
        self.nodes[0]
    }

    /// Those whom the winner met on its way: the next best is among them.
    pub(crate) fn opponents(&self, winner: usize) -> impl Iterator<Item = usize> {
        let mut node = winner + self.leaves;
        std::iter::from_fn(move || {
            node /= 2;
            (node > 0).then(|| self.nodes[node])
        })
        .flatten()
    }
}
