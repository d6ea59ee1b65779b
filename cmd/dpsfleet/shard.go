package main

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"dpsfleet/scenarios"
)

// maxShards bounds what a mistyped number can ask for.
const maxShards = 10000

// shard reads I/N, which counts from 1, as people do. Without I it is the index
// that Kubernetes gives the pods of an Indexed Job.
func (p *program) shard(cmd *cobra.Command, text string) (shard, shards int, err error) {
	if text == "" {
		return 0, 0, nil
	}
	part, of, _ := strings.Cut(text, "/")
	n, errN := strconv.Atoi(of)
	i, errI := strconv.Atoi(part)
	if part == "" {
		index := p.getenv("JOB_COMPLETION_INDEX")
		if i, errI = strconv.Atoi(index); errI != nil {
			return 0, 0, usage(cmd, "--shard %s takes its part from JOB_COMPLETION_INDEX, which is %q", text, index)
		}
		i++
	}
	if errN != nil || errI != nil || n < 1 || n > maxShards || i < 1 || i > n {
		return 0, 0, usage(cmd, "--shard %q is no part of a whole, as 2/3 is", text)
	}
	if n == 1 {
		return 0, 0, nil
	}
	return i - 1, n, nil
}

// shardSuffix tells the logs of shards apart.
func shardSuffix(env scenarios.Env) string {
	if env.Shards == 0 {
		return ""
	}
	return fmt.Sprintf("-%dof%d", env.Shard+1, env.Shards)
}
