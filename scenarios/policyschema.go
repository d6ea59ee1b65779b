package scenarios

import _ "embed"

// PolicySchema is the JSON Schema of allocation policies, for editors. It is made
// from allocation's structs; ParsePolicy, which reads them, is stricter.
//
//go:embed policy.schema.json
var PolicySchema []byte
