{
  description = "A repro lab for silent swarm rollbacks: was this upgrade really deployed, and if not, why?";

  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-25.11";

  outputs =
    { self, nixpkgs }:
    let
      inherit (nixpkgs) lib;
      # A lab is made of Linux's namespaces and control groups.
      systems = [
        "x86_64-linux"
        "aarch64-linux"
      ];
      forEachSystem =
        make:
        lib.genAttrs systems (system: make (nixpkgs.legacyPackages.${system}.extend self.overlays.default));
    in
    {
      overlays.default = import ./nix/overlay.nix;
      nixosModules.default = import ./nix/module.nix self;

      packages = forEachSystem (pkgs: {
        default = pkgs.stamplab;
        inherit (pkgs.stamplab)
          gogit
          stackspec
          stampload
          swarmsim
          ;
        vm-test = pkgs.callPackage ./nix/vm-test.nix { module = self.nixosModules.default; };
      });
      apps = forEachSystem (import ./nix/apps.nix);
      checks = forEachSystem (import ./nix/checks.nix self);
      devShells = forEachSystem (pkgs: {
        default = pkgs.callPackage ./nix/shell.nix { };
      });
      formatter = forEachSystem (pkgs: pkgs.callPackage ./nix/formatter.nix { });
    };
}
