package dev

import (
	"fmt"

	"github.com/sallyport-iap/sallyport/cmd/internal/launch/postgres"
	"github.com/sallyport-iap/sallyport/cmd/internal/launch/redis"
	"github.com/sallyport-iap/sallyport/cmd/sallyport/internal/dev/supervise"
)

// postgres runs the database. The channel gets the server of the first start.
func (e *engine) postgres(started chan<- *postgres.Server) (supervise.Part, error) {
	const name = "postgres"
	output, err := e.logs.open(name)
	if err != nil {
		return supervise.Part{}, err
	}
	config := postgres.Config{Dir: e.config.path("postgres"), Binaries: e.programs.postgres, Port: e.config.Postgres, Output: output}
	return supervise.Part{Name: name, Run: e.keepRunning(name, supervise.Postgres(config, func(server *postgres.Server) {
		e.file.update(func(d *document) { d.PostgresPID = server.Pid() })
		select {
		case started <- server:
		default: // it was started again, with the same URL
		}
	}))}, nil
}

// redis runs the cache of an edge's region.
func (e *engine) redis(index int, at edge) (supervise.Part, error) {
	name := at.redis()
	output, err := e.logs.open(name)
	if err != nil {
		return supervise.Part{}, err
	}
	config := redis.Config{Binary: e.programs.redis, Port: at.redisPort, Output: output}
	return supervise.Part{Name: name, Run: e.keepRunning(name, supervise.Redis(config, func(server *redis.Server) {
		e.file.update(func(d *document) { d.Edges[index].RedisAddr, d.Edges[index].RedisPID = server.Addr(), server.Pid() })
	}))}, nil
}

const noRedis = "There is no redis-server on this machine (Debian, Ubuntu: apt-get install redis-server): each region gets a substitute that is not quite Redis."

func (e *engine) warnOfSubstitute() {
	if e.programs.redis == "" {
		fmt.Fprintln(e.out, noRedis)
	}
}
