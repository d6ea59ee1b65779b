package store_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"

	"dpsfleet/provisioning/emulator/store"
)

func TestUpdateIsOneStep(t *testing.T) {
	var table store.Table[int]
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			for i := range 100 {
				table.Update(fmt.Sprint("row", i), func(n int, _ bool) (int, bool) { return n + 1, true })
			}
		})
	}
	wg.Wait()
	if got := len(table.Values()); got != 100 {
		t.Errorf("%d rows, want 100", got)
	}
	for i, n := range table.Values() {
		if n != 50 {
			t.Errorf("value %d is %d, want 50: an update was lost", i, n)
		}
	}
}

func TestUpdateCreatesAndRemoves(t *testing.T) {
	var table store.Table[string]
	table.Update("a", func(v string, ok bool) (string, bool) {
		if ok || v != "" {
			t.Errorf("an empty table has %q", v)
		}
		return "one", true
	})
	if v, ok := table.Get("a"); !ok || v != "one" {
		t.Errorf("Get = %q, %v after an update that created the row", v, ok)
	}
	table.Update("a", func(v string, _ bool) (string, bool) { return v, false })
	if v, ok := table.Get("a"); ok {
		t.Errorf("Get = %q after an update that removed the row", v)
	}
}

func TestDeleteReturnsWhatItRemoved(t *testing.T) {
	var table store.Table[string]
	table.Put("a", "one")
	if v, ok := table.Delete("a"); !ok || v != "one" {
		t.Errorf("Delete = %q, %v", v, ok)
	}
	if v, ok := table.Delete("a"); ok {
		t.Errorf("the second Delete = %q", v)
	}
}

func TestIDsAreComparedToTheLetter(t *testing.T) {
	var table store.Table[int]
	table.Put("a", 1)
	table.Put("A", 2)
	got := table.Values()
	slices.Sort(got)
	if !slices.Equal(got, []int{1, 2}) {
		t.Errorf("values = %v, want both", got)
	}
}
