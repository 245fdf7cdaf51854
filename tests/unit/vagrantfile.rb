# Prints what Vagrant reads from the Vagrantfile in the working directory, as JSON: name -> machine. With an argument, it runs the
# triggers before `vagrant up` as well.

require "json"
require "vagrant"
require Vagrant.source_root.join("plugins/provisioners/salt/provisioner")

# The parts of a machine that the provisioner uses. It keeps the names of the files that would be uploaded.
Communicator = Struct.new(:uploads) do
  def sudo(*) = nil

  def upload(_from, to)
    uploads << to
  end
end
Machine = Struct.new(:config, :communicate, :env)

environment = Vagrant::Environment.new
machines = environment.machine_names.to_h do |name|
  config = environment.vagrantfile.machine_config(name, nil, nil, nil, false)[:config]
  config.trigger.before_triggers.each { |trigger| trigger.ruby_block.call } if ARGV.any?
  shell, salt = config.vm.provisioners.map(&:config)
  communicator = Communicator.new([])
  provisioner = VagrantPlugins::Salt::Provisioner.new(Machine.new(config, communicator, environment), salt)
  options = provisioner.bootstrap_options(true, true, "/tmp")
  size = config.vm.get_provider_config(:libvirt)
  [name, {
    id: config.vm.hostname, box: config.vm.box, size: %i[@memory @cpus].map { |key| size.instance_variable_get(key) },
    address: config.vm.networks.filter_map { |kind, network| network[:ip] if kind == :private_network }.first,
    hosts: shell.args, command: [salt.bootstrap_script, options, salt.version].join(" "),
    known: communicator.uploads.map { |path| File.basename(path) }, keys: [salt.minion_key, salt.minion_pub],
    folders: config.vm.synced_folders.reject { |_, folder| folder[:disabled] }.keys, master: salt.master_config
  }]
end
puts machines.to_json
