// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

// Package main is the container of the node's integration test. It does what a query asks for.
package main

import (
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		log.Fatal(err)
	}
}

func run(args []string) error {
	if len(args) < 2 {
		return fmt.Errorf("usage: %s serve <address> | write <file> <content>", os.Args[0])
	}
	switch args[0] {
	case "write":
		return os.WriteFile(args[1], []byte(args[2]), 0o600)
	case "serve":
		return serve(args[1])
	}
	return fmt.Errorf("unknown command %q", args[0])
}

func serve(address string) error {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM)
	go func() {
		<-signals
		log.Print("terminating")
		os.Exit(0)
	}()

	handlers := map[string]func(argument string) (string, error){
		"/ready": func(string) (string, error) { return "ready", nil },
		"/args":  func(string) (string, error) { return strings.Join(os.Args, "\n"), nil },
		"/env":   func(name string) (string, error) { return os.Getenv(name), nil },
		"/read": func(path string) (string, error) {
			data, err := os.ReadFile(path) // #nosec G304 -- This is what the test is about.
			return string(data), err
		},
		"/list": func(pattern string) (string, error) {
			paths, err := filepath.Glob(pattern)
			return strings.Join(paths, "\n"), err
		},
		"/touch":    func(path string) (string, error) { return "", os.WriteFile(path, nil, 0o600) },
		"/hostname": func(string) (string, error) { return os.Hostname() },
		"/resolve": func(name string) (string, error) {
			addresses, err := net.LookupHost(name)
			return strings.Join(addresses, "\n"), err
		},
		"/get":  get,
		"/exit": exit,
	}
	mux := http.NewServeMux()
	for path, handle := range handlers {
		mux.HandleFunc(path, func(writer http.ResponseWriter, request *http.Request) {
			result, err := handle(request.URL.Query().Get("q"))
			if err != nil {
				http.Error(writer, err.Error(), http.StatusInternalServerError)
				return
			}
			_, _ = io.WriteString(writer, result)
		})
	}
	log.Printf("listening on %s", address)
	server := &http.Server{Addr: address, Handler: mux, ReadHeaderTimeout: time.Second}
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

func get(url string) (string, error) {
	httpClient := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := httpClient.Get(url)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	return string(data), err
}

func exit(code string) (string, error) {
	number, err := strconv.Atoi(code)
	if err != nil {
		return "", err
	}
	time.AfterFunc(100*time.Millisecond, func() { os.Exit(number) })
	return "", nil
}
