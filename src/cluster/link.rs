//! Over which links a node is heard.

use crate::cluster::io::{LinkId, Mono, Subject};
use crate::cluster::timers::Timer;
use crate::cluster::voice::Cx;
use crate::config::settings::{Medium, Settings};

/// The links to every node. Media of one interface are one link, as their name is.
#[derive(Debug)]
pub(super) struct Links {
    names: Vec<String>,
    /// The link of each medium.
    of_medium: Vec<usize>,
    /// Last packet by node and link, while the link is up.
    up: Vec<Vec<Option<Mono>>>,
}

impl Links {
    pub(super) fn new(settings: &Settings) -> Self {
        let mut names: Vec<String> = Vec::new();
        let mut of_medium = Vec::new();
        for name in settings.media.iter().map(Medium::link) {
            let link = names.iter().position(|n| n == name).unwrap_or_else(|| {
                names.push(name.to_owned());
                names.len() - 1
            });
            of_medium.push(link);
        }
        let up = vec![vec![None; names.len()]; settings.nodes.len()];
        Self { names, of_medium, up }
    }

    /// A packet of the node came over the medium.
    pub(super) fn heard(&mut self, cx: &mut Cx<'_>, node: usize, medium: LinkId) {
        let Some(&link) = self.of_medium.get(medium.0) else { return };
        let Some(slot) = self.up.get_mut(node).and_then(|links| links.get_mut(link)) else { return };
        let was_up = slot.replace(cx.now.mono).is_some();
        cx.timers.set(Timer::LinkDead(node, link), cx.now.mono + cx.settings.deadtime);
        if !was_up {
            self.tell(cx, node, link, true);
        }
    }

    /// No packet came for the dead time.
    pub(super) fn silent(&mut self, cx: &mut Cx<'_>, node: usize, link: usize) {
        let Some(slot) = self.up.get_mut(node).and_then(|links| links.get_mut(link)) else { return };
        if slot.take().is_some() {
            self.tell(cx, node, link, false);
        }
    }

    /// Name and state of each link to the node.
    pub(super) fn of(&self, node: usize) -> Vec<(String, bool)> {
        let states = self.up.get(node).map(Vec::as_slice).unwrap_or_default();
        self.names.iter().cloned().zip(states.iter().map(Option::is_some)).collect()
    }

    /// How many links are up to these nodes.
    pub(super) fn up_to(&self, nodes: impl Iterator<Item = usize>) -> usize {
        nodes.filter_map(|n| self.up.get(n)).flatten().filter(|l| l.is_some()).count()
    }

    fn tell(&self, cx: &mut Cx<'_>, node: usize, link: usize, up: bool) {
        let node = cx.settings.nodes.get(node).cloned().unwrap_or_default();
        let link = self.names.get(link).cloned().unwrap_or_default();
        let text = format!("Link {node}:{link} {}.", if up { "up" } else { "dead" });
        cx.voice.event(crate::cluster::io::Level::Info, Subject::Link { node, link, up }, text);
    }
}
