# SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
#
# SPDX-License-Identifier: Apache-2.0

############# builder
FROM --platform=$BUILDPLATFORM golang:1.26.8 AS builder
WORKDIR /go/src/github.com/gardener/gardener-extension-otel-federation

# Downloaded anew only when they change.
COPY go.mod go.sum ./
RUN go mod download

COPY . .
ARG EFFECTIVE_VERSION=v0.0.0-unknown
ARG TARGETOS
ARG TARGETARCH
RUN CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH go build -trimpath -buildvcs=false \
    -ldflags="-s -w -X k8s.io/component-base/version.gitVersion=$EFFECTIVE_VERSION \
    -X k8s.io/component-base/version/verflag.programName=gardener-extension-otel-federation" \
    -o /output/gardener-extension-otel-federation ./cmd/gardener-extension-otel-federation

############# gardener-extension-otel-federation
FROM gcr.io/distroless/static-debian13:nonroot@sha256:f7f8f729987ad0fdf6b05eeeae94b26e6a0f613bdf46feea7fc40f7bd72953e6 AS gardener-extension-otel-federation
WORKDIR /
COPY --from=builder /output/gardener-extension-otel-federation /gardener-extension-otel-federation
ENTRYPOINT ["/gardener-extension-otel-federation"]
