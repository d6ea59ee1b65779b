package rest

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"sort"
	"strconv"
	"strings"

	"dpsfleet/provisioning"
)

// The headers of a query's paging (DPS service REST API).
const (
	maxItemHeader      = "X-Ms-Max-Item-Count"
	continuationHeader = "X-Ms-Continuation"
	itemTypeHeader     = "X-Ms-Item-Type"
)

// defaultPage and largestPage are ours: how many items the service sends at once
// is documented nowhere.
const (
	defaultPage = 100
	largestPage = 1000
)

// query lists records. Its language is a part of IoT Hub's, and what the service
// takes of it beyond SELECT * is documented nowhere; that alone is taken here.
func (c call) query(k kind) {
	body, err := c.body()
	if err != nil {
		refuse(c.w, err)
		return
	}
	var q struct {
		Query string `json:"query"`
	}
	if err := json.Unmarshal(body, &q); err != nil || !isObject(body) {
		refuse(c.w, bad("BadRequest: the body is not a query."))
		return
	}
	if !selectsAll(q.Query, k) {
		refuse(c.w, bad("The query is not SELECT * FROM %ss; this emulator knows no other.", k.itemType))
		return
	}
	var items []item
	for _, e := range k.List() {
		items = append(items, item{e.ID(), withoutKeys(e).JSON})
	}
	c.page(items, k.itemType)
}

// selectsAll takes the query of the REST reference and the CLI's, which has no
// FROM.
func selectsAll(query string, k kind) bool {
	words := strings.Fields(strings.ToLower(query))
	if len(words) == 2 {
		words = append(words, "from", strings.ToLower(k.itemType)+"s")
	}
	return strings.Join(words, " ") == "select * from "+strings.ToLower(k.itemType)+"s"
}

// item is one of a list, written only if its page is asked for.
type item struct {
	id   string
	text func() ([]byte, error)
}

// page answers with one page of items, which are in the order of their ids. The
// continuation names the last id that was sent, so that items which come and go
// meanwhile move no other to a page that was read already.
func (c call) page(items []item, itemType string) {
	size, err := pageSize(c.r.Header.Get(maxItemHeader))
	if err != nil {
		refuse(c.w, err)
		return
	}
	after, err := readContinuation(c.r.Header.Get(continuationHeader))
	if err != nil {
		refuse(c.w, err)
		return
	}
	sort.Slice(items, func(i, j int) bool { return order(items[i].id) < order(items[j].id) })
	from := 0
	if after != "" {
		from = sort.Search(len(items), func(i int) bool { return order(items[i].id) > after })
	}
	to := min(from+size, len(items))
	text, err := list(items[from:to])
	if err != nil {
		refuse(c.w, err)
		return
	}
	c.w.Header().Set(itemTypeHeader, itemType)
	if to < len(items) {
		c.w.Header().Set(continuationHeader, continuation(items[to-1].id))
	}
	answer(c.w, http.StatusOK, provisioning.ASCII(text))
}

// order is an id as lists are ordered: registration ids have no case.
func order(id string) string { return strings.ToLower(id) }

func pageSize(header string) (int, error) {
	if header == "" {
		return defaultPage, nil
	}
	n, err := strconv.Atoi(header)
	if err != nil || n < 1 {
		return 0, bad("x-ms-max-item-count is not a number of items.")
	}
	return min(n, largestPage), nil
}

// continuation starts with a letter that says of what form it is.
func continuation(id string) string {
	return base64.RawURLEncoding.EncodeToString([]byte("a" + order(id)))
}

func readContinuation(header string) (after string, err error) {
	if header == "" {
		return "", nil
	}
	text, err := base64.RawURLEncoding.DecodeString(header)
	if err != nil || len(text) < 2 || text[0] != 'a' {
		return "", bad("x-ms-continuation is not one that this service gave.")
	}
	return string(text[1:]), nil
}

func list(items []item) ([]byte, error) {
	var out bytes.Buffer
	out.WriteByte('[')
	for i, item := range items {
		text, err := item.text()
		if err != nil {
			return nil, err
		}
		if i > 0 {
			out.WriteByte(',')
		}
		out.Write(text)
	}
	out.WriteByte(']')
	return out.Bytes(), nil
}

// isObject reports whether JSON is an object.
func isObject(text []byte) bool {
	text = bytes.TrimSpace(text)
	return len(text) > 0 && text[0] == '{' && json.Valid(text)
}
