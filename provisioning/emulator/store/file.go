package store

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"go.etcd.io/bbolt"
	bbolterrors "go.etcd.io/bbolt/errors"
)

const (
	// writeEvery is how often changes are written. A table never waits for it;
	// after a crash the file is as it was then, whole.
	writeEvery = 500 * time.Millisecond
	// patience is how long another process may still hold the file, as one does
	// that is just ending.
	patience = time.Second

	metaBucket = "dpsfleet"
	versionKey = "version"
)

// File keeps tables and a few single values across restarts. The tables stay in
// memory; what changes is written behind them, in one transaction twice a second
// and at Close, so that a crash loses the last second at most.
type File struct {
	path   string
	db     *bbolt.DB
	failed func(error)
	stop   chan struct{}
	ended  chan struct{}
	close  func() error

	mu     sync.Mutex // of a write, and of tables
	tables []kept
}

// kept is a table as a File sees it: its bucket, and the rows that have changed
// since they were last asked for, encoded; nil for a row that is gone.
type kept struct {
	name string
	take func() (map[string][]byte, error)
	back func(ids map[string][]byte)
}

// Options of a File.
type Options struct {
	// Version is of what is kept. A file of another version is not opened.
	Version string
	// Failed is told when a write fails; it is tried again. Nil is silence.
	Failed func(error)
}

// Open opens the file at path or makes it, readable by its owner alone.
func Open(path string, opt Options) (*File, error) {
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{Timeout: patience})
	switch {
	case errors.Is(err, bbolterrors.ErrTimeout):
		return nil, fmt.Errorf("the state file %s is in use by another process", path)
	case errors.Is(err, bbolterrors.ErrInvalid), errors.Is(err, bbolterrors.ErrVersionMismatch), errors.Is(err, bbolterrors.ErrChecksum):
		return nil, fmt.Errorf("%s is not a state file: %w", path, err)
	case err != nil:
		return nil, fmt.Errorf("opening the state file: %w", err)
	}
	if err := errors.Join(os.Chmod(path, 0o600), claim(db, path, opt.Version)); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	if opt.Failed == nil {
		opt.Failed = func(error) {}
	}
	f := &File{path: path, db: db, failed: opt.Failed, stop: make(chan struct{}), ended: make(chan struct{})}
	f.close = sync.OnceValue(f.end)
	go f.writeBehind()
	return f, nil
}

// claim writes the version into a new file and compares that of an old one.
func claim(db *bbolt.DB, path, version string) error {
	return db.Update(func(tx *bbolt.Tx) error {
		meta := tx.Bucket([]byte(metaBucket))
		if meta == nil {
			if name, _ := tx.Cursor().First(); name != nil {
				return fmt.Errorf("%s is not a state file of ours: it holds %q", path, name)
			}
			meta, err := tx.CreateBucket([]byte(metaBucket))
			if err != nil {
				return fmt.Errorf("making the state file %s: %w", path, err)
			}
			return meta.Put([]byte(versionKey), []byte(version))
		}
		if has := string(meta.Get([]byte(versionKey))); has != version {
			return fmt.Errorf("the state file %s is of version %q, and this program writes %q: take another file, or the program that wrote it", path, has, version)
		}
		return nil
	})
}

// Once is the value that the file has under name, or else what produce makes, which it
// has from then on. It is written before Once returns.
func (f *File) Once(name string, produce func() ([]byte, error)) (value []byte, err error) {
	err = f.db.Update(func(tx *bbolt.Tx) error {
		meta := tx.Bucket([]byte(metaBucket))
		if old := meta.Get([]byte("value " + name)); old != nil {
			value = append([]byte{}, old...) // bbolt's own is valid in here only
			return nil
		}
		made, err := produce()
		if err != nil {
			return err
		}
		value = made
		return meta.Put([]byte("value "+name), made)
	})
	if err != nil {
		return nil, fmt.Errorf("keeping the %s in %s: %w", name, f.path, err)
	}
	return value, nil
}

// Forget drops the value that the file has under name.
func (f *File) Forget(name string) error {
	return f.db.Update(func(tx *bbolt.Tx) error {
		return tx.Bucket([]byte(metaBucket)).Delete([]byte("value " + name))
	})
}

// Close writes what is left and closes the file. It may be called more than once.
func (f *File) Close() error { return f.close() }

func (f *File) end() error {
	close(f.stop)
	<-f.ended
	return errors.Join(f.Write(), f.db.Close())
}
