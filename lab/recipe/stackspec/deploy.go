package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode"

	"github.com/docker/cli/cli/command"
	"github.com/docker/cli/cli/command/stack/loader"
	"github.com/docker/cli/cli/command/stack/options"
	stack "github.com/docker/cli/cli/command/stack/swarm"
	"github.com/docker/cli/cli/compose/types"
	"github.com/docker/cli/cli/streams"
	"github.com/docker/docker/api/types/swarm"
	"github.com/docker/docker/client"
	"github.com/sirupsen/logrus"
	"github.com/spf13/pflag"
)

// question names a stack as `lab.world.Stack` does: Files are read with Environment and no other,
// and a relative name among them begins at Directory.
type question struct {
	Stack       string            `json:"stack"`
	Directory   string            `json:"directory"`
	Files       []string          `json:"files"`
	Environment map[string]string `json:"environment"`
}

// deployment is what the client would have sent. Reads are the files, besides those of the
// question, that it was made of.
type deployment struct {
	Services []swarm.ServiceSpec `json:"services"`
	Networks []object            `json:"networks"`
	Secrets  []object            `json:"secrets"`
	Configs  []object            `json:"configs"`
	Warnings []string            `json:"warnings"`
	Reads    []string            `json:"reads"`
}

// refusal holds what the client would print before it gives up.
type refusal struct {
	Refused string `json:"refused"`
}

// failure says why the question could not be put to the client.
type failure struct {
	Error string `json:"error"`
}

func answerTo(line []byte) any {
	var asked question
	if err := json.Unmarshal(line, &asked); err != nil {
		return failure{fmt.Sprintf("a line that is no question: %v", err)}
	}
	if err := enter(asked.Directory, asked.Environment); err != nil {
		return failure{err.Error()}
	}
	var said messages
	engine := newEngine()
	config, err := deploy(asked, engine, &said)
	if len(engine.unanswered) > 0 {
		return failure{"docker's client asked the engine for what stackspec has no answer to: " +
			strings.Join(engine.unanswered, ", ")}
	}
	if err != nil {
		return refusal{err.Error()}
	}
	read, err := reads(asked, config)
	if err != nil {
		return failure{err.Error()}
	}
	slices.Sort(said) // the loader ranges over maps
	return deployment{
		Services: engine.services(),
		Networks: engine.networks.sorted(),
		Secrets:  engine.secrets.sorted(),
		Configs:  engine.configs.sorted(),
		Warnings: append([]string{}, said...),
		Reads:    append([]string{}, read...),
	}
}

// enter makes this process one that was started there with that environment and no other: the
// client asks the process itself for both (command/stack/loader/loader.go:119, and for env files
// compose/loader/envfile.go:25).
func enter(directory string, environment map[string]string) error {
	if err := os.Chdir(directory); err != nil {
		return fmt.Errorf("the stack's folder cannot be entered: %w", err)
	}
	os.Clearenv()
	for name, value := range environment {
		if err := os.Setenv(name, value); err != nil {
			return fmt.Errorf("the environment cannot hold %q: %w", name, err)
		}
	}
	return nil
}

// deploy runs the two halves of `docker stack deploy --detach --resolve-image never` at this engine
// (command/stack/deploy.go:27), and says what the files came to. A panic of the client's is its last
// word, as it is where it runs by itself.
func deploy(asked question, engine *engine, said *messages) (config *types.Config, refused error) {
	defer func() {
		if panicked := recover(); panicked != nil {
			refused = fmt.Errorf("panic: %v", panicked)
		}
	}()
	if strings.TrimFunc(asked.Stack, quotesOrWhitespace) == "" { // command/stack/common.go:12
		return nil, fmt.Errorf("invalid stack name: %q", asked.Stack)
	}
	logrus.SetOutput(said)
	api, err := client.NewClientWithOpts(client.WithHTTPClient(&http.Client{Transport: engine}))
	if err != nil {
		return nil, err
	}
	docker := &dockerCli{api: api, said: said}
	wanted := options.Deploy{
		Composefiles: asked.Files,
		Namespace:    asked.Stack,
		ResolveImage: stack.ResolveImageNever,
		Detach:       true,
	}
	config, err = loader.LoadComposefile(docker, wanted)
	if err != nil {
		return nil, err
	}
	return config, stack.RunDeploy(context.Background(), docker, detached(), &wanted, config)
}

func quotesOrWhitespace(r rune) bool { return unicode.IsSpace(r) || r == '"' || r == '\'' }

// detached are the flags of one who asked for it; else the client would talk about that.
func detached() *pflag.FlagSet {
	flags := pflag.NewFlagSet("deploy", pflag.ContinueOnError)
	flags.Bool("detach", true, "")
	flags.Lookup("detach").Changed = true
	return flags
}

// reads lists the files that the compose files refer to. Relative names begin at the folder of the
// first compose file (command/stack/loader/loader.go:106), and are left in env files alone.
func reads(asked question, config *types.Config) ([]string, error) {
	first, err := filepath.Abs(asked.Files[0])
	if err != nil {
		return nil, err
	}
	found := map[string]bool{}
	for _, service := range config.Services {
		for _, file := range service.EnvFile {
			if !filepath.IsAbs(file) {
				file = filepath.Join(filepath.Dir(first), file)
			}
			found[file] = true
		}
	}
	for _, secret := range config.Secrets {
		found[secret.File] = true
	}
	for _, config := range config.Configs {
		found[config.File] = true
	}
	delete(found, "") // external ones have none
	return slices.Sorted(maps.Keys(found)), nil
}

// dockerCli is as much of a docker client as `stack deploy` asks for.
type dockerCli struct {
	command.Cli
	api  client.APIClient
	said io.Writer
}

func (d *dockerCli) Client() client.APIClient { return d.api }
func (d *dockerCli) In() *streams.In          { return streams.NewIn(io.NopCloser(strings.NewReader(""))) }
func (d *dockerCli) Out() *streams.Out        { return streams.NewOut(io.Discard) }
func (d *dockerCli) Err() *streams.Out        { return streams.NewOut(d.said) }

// messages collects what the client prints: one message a write.
type messages []string

func (m *messages) Write(text []byte) (int, error) {
	if message := strings.TrimSpace(string(text)); message != "" {
		*m = append(*m, message)
	}
	return len(text), nil
}
