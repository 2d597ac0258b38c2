//! The table of hosts. Demo, shell and cases build their hosts from it; `vagrant/Vagrantfile` repeats it and a case holds
//! the two together.

/// What a host is for: names the script of `vagrant/provision` that prepares it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Runs heartbeat, and ldirectord where heartbeat says so.
    Director,
    /// Runs a web server and accepts packets for the balanced address.
    RealServer,
    /// Asks for pages.
    Client,
}

impl Role {
    /// Name of its script in `vagrant/provision`, and in the Vagrantfile.
    pub fn script(self) -> &'static str {
        match self {
            Self::Director => "director",
            Self::RealServer => "real-server",
            Self::Client => "client",
        }
    }
}

/// Whose heartbeat, ldirectord and ipvsadm a host has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Product {
    /// Ours.
    LvsHa,
    /// Debian's packages, for comparison: unpacked in the lab's cache, seen by this host alone.
    Originals,
    /// Ours, and servers to be checked from Debian's packages, unpacked likewise.
    Servers,
}

/// A network interface and the network (an Ethernet switch) that its cable leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interface {
    /// Such as `eth0`.
    pub name: String,
    /// Name of the network: the hosts of one lab with the same name see each other.
    pub network: String,
    /// `ADDRESS/PREFIX`; several are possible.
    pub addresses: Vec<String>,
}

/// A host as it is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Machine {
    /// What `uname -n` says.
    pub name: String,
    /// What it is for.
    pub role: Role,
    /// Whose programs it has.
    pub product: Product,
    /// Its interfaces.
    pub interfaces: Vec<Interface>,
}

impl Machine {
    /// A director with `eth0` on network `front`: what most cases need.
    pub fn new(name: &str, address: &str) -> Self {
        Self { name: name.to_owned(), role: Role::Director, product: Product::LvsHa, interfaces: Vec::new() }
            .interface("eth0", "front", address)
    }

    /// With one more interface; an empty address leaves it without one.
    #[must_use]
    pub fn interface(mut self, name: &str, network: &str, address: &str) -> Self {
        let addresses = address.split_whitespace().map(str::to_owned).collect();
        self.interfaces.push(Interface { name: name.to_owned(), network: network.to_owned(), addresses });
        self
    }

    /// With another role.
    #[must_use]
    pub fn role(mut self, role: Role) -> Self {
        self.role = role;
        self
    }

    /// With the programs of another origin.
    #[must_use]
    pub fn product(mut self, product: Product) -> Self {
        self.product = product;
        self
    }
}

/// The balanced address of the demo.
pub const VIP: &str = "172.25.60.200";

/// The demo's hosts: `front` is where clients, directors and real servers meet, `beat` a cable between the directors.
pub fn demo() -> Vec<Machine> {
    vec![
        Machine::new("server10", "172.25.60.10/24").interface("eth1", "beat", "10.60.0.10/24"),
        Machine::new("server11", "172.25.60.11/24").interface("eth1", "beat", "10.60.0.11/24"),
        Machine::new("server12", "172.25.60.12/24").role(Role::RealServer),
        Machine::new("server13", "172.25.60.13/24").role(Role::RealServer),
        Machine::new("client", "172.25.60.20/24").role(Role::Client),
    ]
}
