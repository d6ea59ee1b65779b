package store

import (
	"errors"
	"fmt"
	"maps"
	"time"

	"go.etcd.io/bbolt"
)

// Codec turns a table's values into bytes and back. Decode says false of a row that
// is of no use any more.
type Codec[V any] struct {
	Encode func(V) ([]byte, error)
	Decode func([]byte) (v V, use bool, err error)
}

// Keep fills t with the rows that f has under name, and from then on writes what
// changes in t. It is called before anybody else has t. Tables are written in the
// order in which they are kept here.
func Keep[V any](f *File, name string, t *Table[V], codec Codec[V]) error {
	if err := load(f, name, t, codec.Decode); err != nil {
		return fmt.Errorf("reading %s from %s: %w", name, f.path, err)
	}
	for i := range t.shards {
		t.shards[i].changed = make(map[string]struct{})
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.tables = append(f.tables, kept{
		name: name,
		take: func() (map[string][]byte, error) { return t.take(codec.Encode) },
		back: t.giveBack,
	})
	return nil
}

func load[V any](f *File, name string, t *Table[V], decode func([]byte) (V, bool, error)) error {
	return f.db.Update(func(tx *bbolt.Tx) error {
		bucket, err := tx.CreateBucketIfNotExists([]byte("table " + name))
		if err != nil {
			return err
		}
		return bucket.ForEach(func(id, row []byte) error {
			v, use, err := decode(row)
			if err != nil {
				return fmt.Errorf("the row %q: %w", id, err)
			}
			if use {
				t.Put(string(id), v)
			}
			return nil
		})
	})
}

// take encodes the rows that have changed, and forgets that they have. Rows are
// copied shard by shard and encoded without a lock. One that cannot be encoded
// stays as the file has it.
func (t *Table[V]) take(encode func(V) ([]byte, error)) (rows map[string][]byte, err error) {
	rows = make(map[string][]byte)
	for i := range t.shards {
		present, gone := t.shards[i].take()
		for _, id := range gone {
			rows[id] = nil
		}
		for id, v := range present {
			row, failed := encode(v)
			if failed != nil {
				err = errors.Join(err, fmt.Errorf("the row %q: %w", id, failed))
				continue
			}
			rows[id] = row
		}
	}
	return rows, err
}

func (s *shard[V]) take() (present map[string]V, gone []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.changed) == 0 {
		return nil, nil
	}
	present = make(map[string]V, len(s.changed))
	for id := range s.changed {
		if v, ok := s.rows[id]; ok {
			present[id] = v
			continue
		}
		gone = append(gone, id)
	}
	s.changed = make(map[string]struct{})
	return present, gone
}

// giveBack makes rows changed again that could not be written.
func (t *Table[V]) giveBack(rows map[string][]byte) {
	for id := range maps.Keys(rows) {
		s := t.of(id)
		s.mu.Lock()
		s.touch(id)
		s.mu.Unlock()
	}
}

// writeBehind writes until Close.
func (f *File) writeBehind() {
	defer close(f.ended)
	ticker := time.NewTicker(writeEvery)
	defer ticker.Stop()
	for {
		select {
		case <-f.stop:
			return
		case <-ticker.C:
		}
		if err := f.Write(); err != nil {
			f.failed(err)
		}
	}
}

// Write writes what has changed, all of it in one transaction or nothing.
func (f *File) Write() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	var failed error
	rows, left := make([]map[string][]byte, len(f.tables)), 0
	for i, table := range f.tables {
		var err error
		if rows[i], err = table.take(); err != nil {
			failed = errors.Join(failed, fmt.Errorf("writing %s to %s: %w", table.name, f.path, err))
		}
		left += len(rows[i])
	}
	if left == 0 {
		return failed
	}
	err := f.db.Update(func(tx *bbolt.Tx) error { return f.put(tx, rows) })
	if err == nil {
		return failed
	}
	for i, table := range f.tables {
		table.back(rows[i])
	}
	return errors.Join(failed, fmt.Errorf("writing to the state file %s: %w", f.path, err))
}

func (f *File) put(tx *bbolt.Tx, rows []map[string][]byte) error {
	for i, table := range f.tables {
		bucket := tx.Bucket([]byte("table " + table.name))
		for id, row := range rows[i] {
			if err := write(bucket, id, row); err != nil {
				return err
			}
		}
	}
	return nil
}

func write(bucket *bbolt.Bucket, id string, row []byte) error {
	if row == nil {
		return bucket.Delete([]byte(id))
	}
	return bucket.Put([]byte(id), row)
}
