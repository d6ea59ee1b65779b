// Package store keeps what the emulated cloud remembers: tables of values, found
// by id. They are in memory; a [File] keeps some of them across restarts, behind
// the same methods, because values go in and come out by copy and nobody holds a
// pointer into a table.
//
// The room must not know what it keeps: no registration, no twin, no key. It
// imports nothing of ours.
package store

import "sync"

// shards spread a table's rows over so many locks that thousands of devices
// that register at once do not queue at one.
const shards = 64

// Table holds values by id. The zero Table is empty and ready. Ids are compared
// to the letter; whoever ignores case folds it before.
type Table[V any] struct {
	shards [shards]shard[V]
}

type shard[V any] struct {
	mu   sync.Mutex
	rows map[string]V
	// changed are the ids of rows that a File has yet to write; nil, and costing
	// nothing, in a table that no File keeps.
	changed map[string]struct{}
}

// touch is called with mu held.
func (s *shard[V]) touch(id string) {
	if s.changed != nil {
		s.changed[id] = struct{}{}
	}
}

// Get is the value of id, if there is one.
func (t *Table[V]) Get(id string) (v V, ok bool) {
	s := t.of(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	v, ok = s.rows[id]
	return v, ok
}

// Put stores a value.
func (t *Table[V]) Put(id string, v V) {
	t.Update(id, func(V, bool) (V, bool) { return v, true })
}

// Update changes one row in one step: change gets the value, if there is one,
// and returns what to store; false removes the row. Nobody else sees the row
// meanwhile, so change must neither block nor come back to this table.
func (t *Table[V]) Update(id string, change func(v V, ok bool) (V, bool)) (v V) {
	s := t.of(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	v, ok := s.rows[id]
	v, keep := change(v, ok)
	s.touch(id)
	if !keep {
		delete(s.rows, id)
		return v
	}
	if s.rows == nil {
		s.rows = make(map[string]V)
	}
	s.rows[id] = v
	return v
}

// Delete removes a row and returns its value, if there was one.
func (t *Table[V]) Delete(id string) (V, bool) {
	s := t.of(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	v, ok := s.rows[id]
	delete(s.rows, id)
	s.touch(id)
	return v, ok
}

// Values are all values, in no order. Rows that change meanwhile may be in it in
// either state.
func (t *Table[V]) Values() []V {
	var all []V
	for i := range t.shards {
		all = t.shards[i].appendTo(all)
	}
	return all
}

func (s *shard[V]) appendTo(all []V) []V {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, v := range s.rows {
		all = append(all, v)
	}
	return all
}

// of finds the shard of an id by FNV-1a. Ids come from the wire, but an attacker
// gains nothing here: a shard is a map, so a bad spread costs lock waits only.
func (t *Table[V]) of(id string) *shard[V] {
	hash := uint32(2166136261)
	for i := range len(id) {
		hash = (hash ^ uint32(id[i])) * 16777619
	}
	return &t.shards[hash%shards]
}
