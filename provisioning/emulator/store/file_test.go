package store_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.etcd.io/bbolt"

	"dpsfleet/provisioning/emulator/store"
)

func text() store.Codec[string] {
	return store.Codec[string]{
		Encode: func(v string) ([]byte, error) {
			if v == "unwritable" {
				return nil, errors.New("it cannot be encoded")
			}
			return []byte(v), nil
		},
		Decode: func(row []byte) (string, bool, error) { return string(row), string(row) != "useless", nil },
	}
}

func open(t *testing.T, path string) (*store.File, *store.Table[string]) {
	t.Helper()
	f, err := store.Open(path, store.Options{Version: "1"})
	if err != nil {
		t.Fatal(err)
	}
	table := new(store.Table[string])
	if err := store.Keep(f, "rows", table, text()); err != nil {
		t.Fatal(err)
	}
	return f, table
}

func shut(t *testing.T, f *store.File) {
	t.Helper()
	for range 2 {
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestTablesOutliveTheProcess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state")
	f, table := open(t, path)
	for _, id := range []string{"a", "b", "c", "d"} {
		table.Put(id, "first "+id)
	}
	table.Put("d", "useless")
	if err := f.Write(); err != nil {
		t.Fatal(err)
	}
	table.Put("b", "second b")
	table.Delete("c")
	shut(t, f)
	for range 2 { // what is not touched stays as well
		f, table = open(t, path)
		want := map[string]string{"a": "first a", "b": "second b"}
		if rows := table.Values(); len(rows) != len(want) {
			t.Errorf("there are %q, want %q", rows, want)
		}
		for id, v := range want {
			if got, _ := table.Get(id); got != v {
				t.Errorf("%s is %q, want %q", id, got, v)
			}
		}
		shut(t, f)
	}
}

func TestChangesAreWrittenBehindWithinASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "state")
		f, table := open(t, path)
		table.Put("a", "kept")
		time.Sleep(time.Second)
		synctest.Wait()
		crashed := filepath.Join(t.TempDir(), "crashed") // as kill -9 leaves it
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(crashed, data, 0o600); err != nil {
			t.Fatal(err)
		}
		again, rows := open(t, crashed)
		if v, _ := rows.Get("a"); v != "kept" {
			t.Errorf("after a second the file has %q", v)
		}
		shut(t, again)
		shut(t, f)
	})
}

func TestARowThatCannotBeWrittenLeavesTheOthers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state")
	f, table := open(t, path)
	table.Put("a", "good")
	table.Put("b", "unwritable")
	if err := f.Write(); err == nil || !strings.Contains(err.Error(), `"b"`) {
		t.Errorf("error = %v", err)
	}
	shut(t, f)
	f, table = open(t, path)
	defer shut(t, f)
	if v, _ := table.Get("a"); v != "good" || len(table.Values()) != 1 {
		t.Errorf("there are %q", table.Values())
	}
}

func TestAValueIsMadeOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state")
	made := 0
	produce := func() ([]byte, error) { made++; return fmt.Append(nil, "value ", made), nil }
	once := func(f *store.File) string {
		v, err := f.Once("thing", produce)
		if err != nil {
			t.Fatal(err)
		}
		return string(v)
	}
	for range 2 {
		f, _ := open(t, path)
		if v := once(f); v != "value 1" {
			t.Errorf("it is %q", v)
		}
		if _, err := f.Once("other", func() ([]byte, error) { return nil, errors.New("no luck") }); err == nil || !strings.Contains(err.Error(), "keeping the other") {
			t.Errorf("error = %v", err)
		}
		shut(t, f)
	}
	f, _ := open(t, path)
	defer shut(t, f)
	if err := f.Forget("thing"); err != nil {
		t.Fatal(err)
	}
	if v := once(f); v != "value 2" {
		t.Errorf("after it was forgotten it is %q", v)
	}
}

func TestAFileThatIsNotOursIsRefusedInASentence(t *testing.T) {
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	f, _ := open(t, path("other-version"))
	shut(t, f)
	if err := os.WriteFile(path("text"), []byte(strings.Repeat("not a database\n", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	db, err := bbolt.Open(path("foreign"), 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(func(tx *bbolt.Tx) error { _, err := tx.CreateBucket([]byte("theirs")); return err })
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	used, _ := open(t, path("used"))
	defer shut(t, used)
	tests := []struct{ name, version, want string }{
		{"other-version", "2", `is of version "1", and this program writes "2"`},
		{"text", "1", "is not a state file"},
		{"foreign", "1", `is not a state file of ours: it holds "theirs"`},
		{"used", "1", "is in use by another process"},
		{filepath.Join("nowhere", "state"), "1", "opening the state file"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := store.Open(path(test.name), store.Options{Version: test.version})
			if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), path(test.name)) {
				t.Errorf("error = %v, want %q", err, test.want)
			}
		})
	}
}

func TestTheFileIsItsOwnersAlone(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("there are no such modes")
	}
	path := filepath.Join(t.TempDir(), "state")
	f, _ := open(t, path)
	shut(t, f)
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	f, _ = open(t, path)
	shut(t, f)
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("its mode is %v, %v", info.Mode(), err)
	}
}

func TestWritingHoldsUpNobody(t *testing.T) {
	f, table := open(t, filepath.Join(t.TempDir(), "state"))
	defer shut(t, f)
	var wg sync.WaitGroup
	for worker := range 8 {
		wg.Go(func() {
			for i := range 500 {
				table.Put(fmt.Sprint(worker, i%50), fmt.Sprint(i))
			}
		})
	}
	for range 5 {
		if err := f.Write(); err != nil {
			t.Error(err)
		}
	}
	wg.Wait()
}

func BenchmarkPut(b *testing.B) {
	for _, kept := range []bool{false, true} {
		b.Run(fmt.Sprintf("kept=%v", kept), func(b *testing.B) {
			table := new(store.Table[string])
			if kept {
				f, err := store.Open(filepath.Join(b.TempDir(), "state"), store.Options{Version: "1"})
				if err != nil {
					b.Fatal(err)
				}
				defer f.Close()
				if err := store.Keep(f, "rows", table, text()); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				table.Put(fmt.Sprint(i%10000), "value")
			}
		})
	}
}
