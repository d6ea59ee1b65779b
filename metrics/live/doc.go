// Package live is a page that shows a run as it happens: devices by stage, arrivals,
// hubs, outcomes with their latest examples, percentiles, thresholds, and how the
// generator itself is doing. It reads and never writes, needs nothing from elsewhere,
// and is fed as any fold of package metrics is.
//
// The page never slows the run. The fold counts into arrays; once a second, and only
// while somebody looks, it makes one snapshot, which every browser gets by
// server-sent events through a place for one: whoever is slow misses snapshots, and
// whoever is stuck is dropped.
//
// Ids, hubs and error texts come from the wire. They leave here printable and
// bounded, and the page puts them in place as text, under a policy that lets no
// script in but its own.
package live
