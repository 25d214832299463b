package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const twoPlaces = `
services:
  web:
    image: nginx
    networks: [proxy, inner]
    secrets: [token]
    configs:
      - {source: page, target: /b}
      - {source: page, target: /a}
  base:
    image: "redis:${REDIS:?which redis}"
    env_file: [base.env]
networks: {proxy: {external: true}, inner: }
secrets: {token: {external: true, name: token_v1}}
configs: {page: {file: page.html}}
`

type answered struct {
	deployment
	Refused string
	Error   string
}

// ask puts questions about a stack of these files, and gives the process back as it was.
func ask(t *testing.T, files map[string]string, environments ...map[string]string) []answered {
	t.Helper()
	folder, before := t.TempDir(), os.Environ()
	t.Chdir(folder)
	t.Cleanup(func() {
		os.Clearenv()
		for _, one := range before {
			name, value, _ := strings.Cut(one, "=")
			if err := os.Setenv(name, value); err != nil {
				t.Error(err)
			}
		}
	})
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var in, out bytes.Buffer
	for _, environment := range environments {
		asked := question{"shop", folder, []string{"compose.yml"}, environment}
		if err := json.NewEncoder(&in).Encode(asked); err != nil {
			t.Fatal(err)
		}
	}
	if err := serve(&in, &out); err != nil {
		t.Fatal(err)
	}
	var found []answered
	for line := range strings.Lines(out.String()) {
		var one answered
		if err := json.Unmarshal([]byte(line), &one); err != nil {
			t.Fatal(err)
		}
		found = append(found, one)
	}
	return found
}

func TestEachQuestionIsAnsweredInItsOwnEnvironment(t *testing.T) {
	t.Setenv("REDIS", "ours")
	files := map[string]string{
		"compose.yml": twoPlaces, "base.env": "FROM_FILE=1\nREDIS\n", "page.html": "",
	}
	found := ask(t, files, map[string]string{"REDIS": "7"}, nil, map[string]string{"REDIS": "8"})
	if len(found) != 3 {
		t.Fatalf("%d answers to 3 questions", len(found))
	}
	for number, want := range map[int]string{0: "7", 2: "8"} {
		container := found[number].Services[0].TaskTemplate.ContainerSpec
		if got := container.Image; got != "redis:"+want {
			t.Errorf("the image is %s", got)
		}
		if got := strings.Join(container.Env, " "); got != "FROM_FILE=1 REDIS="+want {
			t.Errorf("the environment is %s", got)
		}
	}
	if want := "required variable REDIS is missing a value: which redis"; !strings.Contains(found[1].Refused, want) {
		t.Errorf("without the variable it says %q", found[1].Refused)
	}
}

func TestAnAnswerIsTheSameEachTime(t *testing.T) {
	files := map[string]string{"compose.yml": twoPlaces, "base.env": "", "page.html": ""}
	same := map[string]string{"REDIS": "7"}
	found := ask(t, files, same, same, same, same, same, same, same, same)
	first, err := json.Marshal(found[0])
	if err != nil {
		t.Fatal(err)
	}
	for _, one := range found {
		if other, _ := json.Marshal(one); !bytes.Equal(first, other) {
			t.Errorf("once %s\nonce %s", first, other)
		}
	}
	if got := found[0].Services[1].TaskTemplate.ContainerSpec.Configs[0].File.Name; got != "/a" {
		t.Errorf("the first of two places is %s", got)
	}
}

func TestWhatTheStackTakesForGrantedIsExternal(t *testing.T) {
	files := map[string]string{"compose.yml": twoPlaces, "base.env": "", "page.html": ""}
	found := ask(t, files, map[string]string{"REDIS": "7"})[0]
	externals := map[string]bool{}
	for _, one := range append(append(found.Networks, found.Secrets...), found.Configs...) {
		externals[one.Name] = one.External
		if len(one.ID) != 25 {
			t.Errorf("the id of %s is %q", one.Name, one.ID)
		}
	}
	want := map[string]bool{
		"proxy": true, "shop_inner": false, "shop_default": false, "token_v1": true, "shop_page": false,
	}
	for name, external := range want {
		if got, there := externals[name]; !there || got != external {
			t.Errorf("%s: external %v, there %v", name, got, there)
		}
	}
	if len(externals) != len(want) {
		t.Errorf("found %v", externals)
	}
	if len(found.Reads) != 2 || filepath.Base(found.Reads[0]) != "base.env" || !filepath.IsAbs(found.Reads[0]) {
		t.Errorf("it reads %v", found.Reads)
	}
}

func TestWhatIsNoQuestionIsAnError(t *testing.T) {
	for _, line := range []string{"nonsense", `{"stack":"s","directory":"/nowhere/at/all"}`} {
		if _, is := answerTo([]byte(line)).(failure); !is {
			t.Errorf("%s is taken for a question", line)
		}
	}
}

func TestARequestThatTheEngineDoesNotKnowIsRemembered(t *testing.T) {
	engine := newEngine()
	request, err := http.NewRequest(http.MethodDelete, "http://engine/v1.51/services/x", nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := engine.RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	if answer.StatusCode != http.StatusNotImplemented || len(engine.unanswered) != 1 {
		t.Errorf("status %d, remembered %v", answer.StatusCode, engine.unanswered)
	}
}
